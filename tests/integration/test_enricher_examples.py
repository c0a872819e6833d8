"""Run the enricher examples of docs/enrichers.md as they are written there."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.toml_file import check_spec
from db.store.store import Store
from tests import bad_server as behaviour
from tests.bad_server import bad_server
from tests.conftest import ROOT, make_store, register, run_command
from tests.test_docs import blocks

from .llm_server import ROUTE, prompt_of, says

PAGE = (ROOT / "docs" / "enrichers.md").read_text("utf-8")
HOST = "https://api.example.com"
MODEL_HOST = "https://api.openai.com"
LOCAL_HOST = "http://127.0.0.1:11434"
SECRET = "s3cret-of-the-examples"  # noqa: S105
NOTICES = (
    "deux pièces au calme avec balcon, proche du métro",
    "deux pièces au calme avec balcon, proche du métro !",
    "grande maison avec jardin et garage",
    "chambre meublée pour étudiant, charges comprises",
)
FLATS = {"kind": "regression", "target": "rent"}
TONES = {"kind": "classification", "target": "tone"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Yield a store with its tables; the kind of database does not matter here."""
    enrichments = make_store(sqlite_url)
    yield enrichments
    enrichments.close()


def examples(enricher: str) -> list[str]:
    """Return the TOML examples in an enricher's section of the docs."""
    section = PAGE.split(f"\n### {enricher}\n")[1].split("\n### ")[0].split("\n## ")[0]
    return blocks(section, "toml")


def example(enricher: str) -> str:
    """Return the only TOML example in an enricher's section of the docs."""
    [block] = examples(enricher)
    return block


def make_dataset(store: Store, toml: str, kind: dict[str, str], labels: list[Any]) -> Dataset:
    """Return a dataset with the example's enrichers and a record for each label."""
    raw = {"name": "flats", "fields": {"notice": {"type": "text"}}, **kind, **tomllib.loads(toml)}
    spec = msgspec.convert(raw, DatasetSpec)
    check_spec(spec)
    dataset = register(store, spec)
    rows = []
    for number, label in enumerate(labels):
        notice = NOTICES[number] if number < len(NOTICES) else f"{label} {number} m²"
        inputs = spec.read_inputs({"notice": notice})
        rows.append(NewRow(spec.key(inputs), inputs, spec.read_label(label)))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return dataset


def enrich(url: str, *arguments: str, **environment: str) -> None:
    """Run an enrich command; fail unless it succeeds."""
    done = run_command(url, "enrich", *arguments, **environment)
    assert done.code == 0, done.err


def values(store: Store, dataset: Dataset, enricher: str) -> dict[str, Any]:
    """Return each record's value by its notice; fail if one is missing."""
    return {
        row["inputs"]["notice"]: row["enrichments"][enricher] for row in export_rows(store, dataset)
    }


def test_the_http_example_calls_a_service(store: Store, sqlite_url: str, tmp_path: Path) -> None:
    """Body, header and answer are those of the example; only the host differs."""
    toml = example("http")
    assert HOST in toml
    with bad_server() as server:
        server.on("/v1/tone", behaviour.answers({"result": {"score": 0.5}}))
        dataset = make_dataset(store, toml.replace(HOST, server.url), FLATS, [700, 710, 1500, 400])
        enrich(sqlite_url, "once", TONE_KEY=SECRET)
        calls = server.calls
    assert values(store, dataset, "tone") == dict.fromkeys(NOTICES, 0.5)
    assert sorted(json.loads(call.body)["text"] for call in calls) == sorted(NOTICES)
    assert {(call.method, call.path) for call in calls} == {("POST", "/v1/tone?lang=fr")}
    assert {call.headers["authorization"] for call in calls} == {f"Bearer {SECRET}"}
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))


def test_the_llm_example_asks_a_hosted_service(
    store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """Prompt, header and answer are those of the example; only the host differs."""
    hosted, _ = examples("llm")
    assert MODEL_HOST in hosted
    answer = {"mood": "warm", "rooms": None}
    with bad_server() as server:
        server.on(ROUTE, says(answer))
        toml = hosted.replace(MODEL_HOST, server.url)
        dataset = make_dataset(store, toml, FLATS, [700, 710, 1500, 400])
        enrich(sqlite_url, "once", OPENAI_API_KEY=SECRET)
        calls = server.calls
    assert [values(store, dataset, "judged")[notice] for notice in NOTICES] == [answer] * 4
    asked = sorted(prompt_of(call).partition("Notice: ")[2].strip() for call in calls)
    assert asked == sorted(NOTICES)
    assert {call.headers["authorization"] for call in calls} == {f"Bearer {SECRET}"}
    assert SECRET.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))
    status = run_command(sqlite_url, "enrich", "status").out
    assert "4 calls, 80 prompt tokens, 20 answer tokens, cost 0.0001 in this budget" in status


def test_the_llm_example_asks_a_local_model(store: Store, sqlite_url: str) -> None:
    """It needs no key, and one member is the value by itself."""
    _, local = examples("llm")
    assert LOCAL_HOST in local
    with bad_server() as server:
        server.on(ROUTE, says({"mood": "cold"}, usage=None))
        toml = local.replace(LOCAL_HOST, server.url)
        dataset = make_dataset(store, toml, FLATS, [700, 710, 1500, 400])
        enrich(sqlite_url, "once")
        [prompt, *_] = sorted(prompt_of(call) for call in server.calls)
        headers = server.calls[0].headers
    assert values(store, dataset, "mood") == dict.fromkeys(NOTICES, "cold")
    assert prompt.endswith(f'such as {{"mood": "cold"}}. Notice: {min(NOTICES)}')
    assert "authorization" not in headers
    status = run_command(sqlite_url, "enrich", "status").out
    assert "4 calls (the service reports no tokens) in this budget period" in status


def test_the_near_duplicates_example_finds_duplicates(store: Store, sqlite_url: str) -> None:
    """Two of the notices differ only by one character."""
    dataset = make_dataset(store, example("near_duplicates"), FLATS, [700, 710, 1500, 400])
    enrich(sqlite_url, "once")
    enrichments = values(store, dataset, "near_duplicates")
    first, second, *others = (enrichments[notice] for notice in NOTICES)
    assert first == second
    assert (first["size"], first["similarity"], others) == (2, 1.0, [None, None])


@pytest.mark.slow
def test_the_label_issues_example_finds_wrong_labels(store: Store, sqlite_url: str) -> None:
    """The dataset is a classification with a trained model."""
    dataset = make_dataset(store, example("label_issues"), TONES, ["warm", "cold"] * 20)
    enrich(sqlite_url, "train", "flats")
    enrich(sqlite_url, "once")
    enrichments = values(store, dataset, "label_issues")
    assert len(enrichments) == 40
    assert {frozenset(value) for value in enrichments.values()} == {
        frozenset({"issue", "quality", "suggested"})
    }


def test_the_sql_example_looks_up_a_row(store: Store, sqlite_url: str) -> None:
    """The row is in another table of the same database."""
    with store.writing() as connection:
        connection.execute(
            text("CREATE TABLE districts (title TEXT, median_rent REAL, inhabitants INTEGER)")
        )
        connection.execute(
            text("INSERT INTO districts VALUES (:title, 812.5, 4000)"), {"title": NOTICES[2]}
        )
    dataset = make_dataset(store, example("sql"), FLATS, [700, 710, 1500, 400])
    enrich(sqlite_url, "once")
    enrichments = values(store, dataset, "district")
    assert enrichments.pop(NOTICES[2]) == {"median_rent": 812.5, "inhabitants": 4000}
    assert set(enrichments.values()) == {None}
