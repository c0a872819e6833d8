"""Tests of the peers that answer sentences: one model, in scikit-learn and as two graphs."""

from __future__ import annotations

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from benchmark.peers.text_models import read_sentences, write_models
from benchmark.peers.text_predictors import (
    LINEAR_GRAPH,
    WHOLE_GRAPH,
    WORDS,
    WORDS_AND_CHARACTERS,
    TextPredictor,
    load_text_predictor,
    terms_of,
)
from db.spec.record_key import fold_of

FILES = (WORDS, WORDS_AND_CHARACTERS, WHOLE_GRAPH, LINEAR_GRAPH)
SENTENCES = [
    ("Un hôtel à Nîmes, l'été", "hotel"),
    ("une chambre d'hôtel pour deux, deux nuits", "hotel"),
    ("un hôtel près de la gare", "hotel"),
    ("Un train pour Lyon", "train"),
    ("le train de nuit, le train de Paris", "train"),
    ("horaires des trains vers Dijon", "train"),
    ("une table au restaurant italien", "restaurant"),
    ("je cherche un restaurant pour dîner", "restaurant"),
]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of a small dataset."""
    rows = [
        {"key": f"{number:032x}", "inputs": {"sentence": sentence}, "label": label}
        for number, (sentence, label) in enumerate([*SENTENCES, ("sans label", None)])
    ]
    file = tmp_path_factory.mktemp("export") / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return file


@pytest.fixture(scope="module")
def folder(export: Path) -> Path:
    """Fit the models on these rows, and return their folder."""
    write_models(read_sentences(export), export.parent)
    return export.parent


def shares(predictor: TextPredictor, sentence: str) -> dict[str, float]:
    """Return the probabilities of the answer to a sentence."""
    [answer] = predictor.answers([sentence])
    found: dict[str, float] = answer["probabilities"]
    return found


def test_rows_without_a_label_are_left_out(export: Path) -> None:
    """Folds are those of the web process's own models."""
    rows = read_sentences(export)
    assert rows.sentences == [sentence for sentence, _ in SENTENCES]
    assert rows.folds == [fold_of(bytes.fromhex(f"{n:032x}")) for n in range(len(SENTENCES))]


def test_terms_are_words_of_two_letters_and_their_neighbours() -> None:
    """As scikit-learn's own, in which one letter is no word."""
    assert list(terms_of("L'été à Nîmes")) == ["été", "nîmes", "été nîmes"]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_each_peer_answers_with_its_most_likely_label(folder: Path, file: str) -> None:
    """The probabilities of all labels stand beside it."""
    predictor = load_text_predictor(folder / file)
    for answer, (_, label) in zip(
        predictor.answers([sentence for sentence, _ in SENTENCES]), SENTENCES, strict=True
    ):
        assert answer["prediction"] == label
        assert max(answer["probabilities"], key=answer["probabilities"].get) == label
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("file", [WHOLE_GRAPH, LINEAR_GRAPH])
@pytest.mark.parametrize("sentence", ["TRAIN de nuit", "un hôtel l'ÉTÉ", "inconnu", ""])
def test_the_graphs_are_the_model_of_scikit_learn(folder: Path, file: str, sentence: str) -> None:
    """Also for sentences in which no word is known."""
    expected = shares(load_text_predictor(folder / WORDS), sentence)
    assert shares(load_text_predictor(folder / file), sentence) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_repeated_words_count_as_in_scikit_learn(folder: Path) -> None:
    """In the graph of the linear part; skl2onnx's takes log(1 + n) for 1 + log(n)."""
    sentence = "un train, un train, un hôtel"
    expected = shares(load_text_predictor(folder / WORDS), sentence)
    found = shares(load_text_predictor(folder / LINEAR_GRAPH), sentence)
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_the_peers_application_answers_one_sentence_or_many(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP, as the load sends them."""
    monkeypatch.setenv("PEER_MODEL", str(folder / LINEAR_GRAPH))
    application = importlib.import_module("benchmark.peers.text_app")
    expected = load_text_predictor(folder / LINEAR_GRAPH).answers(["un train", "un hôtel"])
    query = urlencode({"sentence": "un train"})
    assert asyncio.run(ask(application.app, "GET", query)) == expected[0]
    body = json.dumps([{"sentence": "un train"}, {"sentence": "un hôtel"}]).encode()
    assert asyncio.run(ask(application.app, "POST", "", body)) == expected


async def ask(app: Any, method: str, query: str, body: bytes = b"") -> Any:  # noqa: ANN401
    """Send a request to an ASGI application, and return the JSON of its answer."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": "/predict/intents",
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return json.loads(b"".join(message.get("body", b"") for message in sent))
