"""Batch requests: many predictions or many new records in one request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.records.dataset import find_dataset
from db.records.record_detail import read_record_detail
from tests.conftest import counts, sample_spec

from .conftest import API_KEY, Reply, Site, query, serving_copy

SPEC = sample_spec("intents")
CUSTOMERS = sample_spec("customers")


def row_of(site: Site, **inputs: object) -> Any:  # noqa: ANN401
    """Return the record with these inputs, or None."""
    spec = SPEC if "sentence" in inputs else CUSTOMERS
    rows = site.records(key=spec.key(spec.read_inputs(inputs)))
    assert len(rows) < 2
    return rows[0] if rows else None


def add(site: Site, items: object, target: str = "/records/intents") -> Any:  # noqa: ANN401
    """Add records with a valid key, and return the counts."""
    reply = site.post(target, items, API_KEY)
    assert (reply.status, reply.content_type) == (200, "application/json"), reply.body
    return reply.json()


def test_many_inputs_are_answered_in_their_order(site: Site) -> None:
    """Each answer equals the answer to a request for that input alone."""
    written = ["un hôtel à Pau", "un vol pour Oslo", "quel film ce soir", "un vol pour Oslo"]
    reply = site.post("/predict/intents", [{"sentence": sentence} for sentence in written])
    assert (reply.status, reply.content_type) == (200, "application/json")
    answers = reply.json()
    assert answers == [site.predict(sentence) for sentence in written]
    assert answers[0] != answers[1] == answers[3]


def test_a_thousand_inputs_are_answered_at_once(site: Site) -> None:
    """A request may hold at most 1,000 inputs."""
    items = [{"age": 20 + n % 50, "education": "PhD", "income": 9000 + n} for n in range(1000)]
    answers = site.post("/predict/customers", items).json()
    assert len(answers) == 1000
    assert {answer["dataset"] for answer in answers} == {"customers"}
    last = site.get(f"/predict/customers?{query(**items[-1])}").json()
    assert answers[-1] == last


def test_no_inputs_have_no_answers(site: Site) -> None:
    """A client need not check for an empty list first."""
    assert site.post("/predict/intents", []).json() == []


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({}, "sentence"),
        ({"sentence": ""}, "sentence"),
        ({"sentence": None}, "sentence"),
        ({"sentence": 3}, "sentence"),
        ({"sentence": ["a"]}, "sentence"),
        ({"sentence": {"a": 1}}, "sentence"),
        ({"sentence": "a\u0000"}, "sentence"),
        ({"sentence": "a" * 1001}, "sentence"),
        ({"sentence": "a", "colour": "red"}, "colour"),
        ("a", "item"),
        (None, "item"),
        ([{"sentence": "a"}], "item"),
    ],
)
def test_a_bad_item_gets_its_own_problem(site: Site, item: object, field: str) -> None:
    """The other items are still answered."""
    good = {"sentence": "un train pour Lille"}
    reply = site.post("/predict/intents", [good, item, good])
    assert reply.status == 200
    first, problem, last = reply.json()
    assert first["dataset"] == last["dataset"] == "intents"
    assert (problem["status"], problem["field"]) == (400, field)
    assert field in problem["detail"]


@pytest.mark.parametrize(
    ("age", "income"), [(True, 1), ("old", 1), (30, []), (30, None), (1.5, 1), (10**300, 1)]
)
def test_a_number_of_another_type_is_that_items_problem(
    site: Site, age: object, income: object
) -> None:
    """JSON has types: true is not a number."""
    item = {"age": age, "education": "PhD", "income": income}
    problem = site.post("/predict/customers", [item]).json()[0]
    assert problem["status"] == 400
    assert problem["field"] == ("income" if age == 30 else "age")


@pytest.mark.parametrize(
    "key", [None, "", "wrong", API_KEY[:-1], API_KEY + "x", f"another,{API_KEY}"]
)
def test_without_the_right_key_nothing_is_added(site: Site, key: str | None) -> None:
    """The problem and the WWW-Authenticate header say that a key is missing."""
    reply = site.post("/records/intents", [{"sentence": "sans la clé"}], key)
    assert (reply.status, reply.content_type) == (401, "application/problem+json")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert "API_KEYS" in reply.json()["detail"]
    assert row_of(site, sentence="sans la clé") is None


def test_a_key_is_required_before_anything_is_revealed(site: Site) -> None:
    """A client without a key must not learn which datasets exist."""
    assert site.post("/records/nothing", []).status == 401
    assert site.ask("POST", "/records/intents", b"no JSON").status == 401


@pytest.fixture(scope="module")
def keyless(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server without API_KEYS."""
    with serving_copy(trained, tmp_path_factory.mktemp("keyless"), API_KEYS="") as running:
        yield running


@pytest.mark.parametrize("key", [None, "", "None", API_KEY])
def test_without_api_keys_nobody_may_add_records(keyless: Site, key: str | None) -> None:
    """Accepting an empty key would open the store to everybody."""
    assert keyless.post("/records/intents", [{"sentence": "a"}], key).status == 401


@pytest.mark.parametrize("key", [API_KEY, "another-key"])
def test_each_key_adds_records(site: Site, key: str) -> None:
    """Records may come with or without a label."""
    items = [
        {"sentence": f"un  vol pour {key} ", "intent": "find-flight"},
        {"sentence": f"peut-être {key}"},
        {"sentence": f"rien {key}", "intent": None},
        {"sentence": f"vide {key}", "intent": ""},
    ]
    reply = site.post("/records/intents", items, key)
    assert reply.json() == counts(added=4, records=4)
    labelled = row_of(site, sentence=f"un vol pour {key}")
    assert (labelled.label, labelled.origin) == ("find-flight", "api")
    for begin in ("peut-être", "rien", "vide"):
        assert row_of(site, sentence=f"{begin} {key}").label is None


def test_adding_twice_changes_nothing(site: Site) -> None:
    """A client that is not sure may send the same records again."""
    items = [{"sentence": "deux fois la même", "intent": "irrelevant"}]
    assert add(site, items) == counts(added=1, records=1)
    before = site.records(origin="api")
    assert add(site, items) == counts(unchanged=1)
    assert site.records(origin="api") == before


def test_a_new_label_replaces_the_old(site: Site) -> None:
    """Sending the record without a label keeps its label."""
    sentence = "une table pour deux"
    add(site, [{"sentence": sentence, "intent": "purchase"}])
    relabelled = [{"sentence": sentence, "intent": "find-restaurant"}]
    assert add(site, relabelled) == counts(corrected=1)
    assert add(site, [{"sentence": sentence}])["unchanged"] == 1
    assert row_of(site, sentence=sentence).label == "find-restaurant"


def test_items_with_the_same_inputs_are_rows_of_one_record(site: Site) -> None:
    """The counts add up to the number of items sent."""
    labels = ("purchase", "find-hotel", None)
    items = [{"sentence": "trois fois", "intent": label} for label in labels]
    assert add(site, items) == counts(added=3, records=1)
    assert row_of(site, sentence="trois fois").label == "find-hotel"


def test_a_regressions_label_is_a_number(site: Site) -> None:
    """The same number may be written in several ways."""
    inputs = {"age": 33, "education": "PhD", "income": 33_333}
    target = "/records/customers"
    assert add(site, [{**inputs, "spending": 1000}], target)["added"] == 1
    assert add(site, [{**inputs, "spending": "1e3"}], target)["unchanged"] == 1
    assert float(row_of(site, **inputs).label) == 1000
    refused = site.post(target, [{**inputs, "spending": "much"}], API_KEY)
    assert (refused.status, refused.json()["problems"][0]["field"]) == (400, "spending")


def test_a_batch_with_bad_items_adds_nothing_and_names_every_bad_item(site: Site) -> None:
    """A partial import is harder to fix than none."""
    before = site.records(origin="api")
    good = {"sentence": "bonne mais en mauvaise compagnie", "intent": "irrelevant"}
    items = [
        good,
        {"sentence": "", "intent": "irrelevant"},
        {"sentence": "a", "intent": "find-nothing"},
        {"intent": "irrelevant"},
        good,
        {"sentence": "a", "colour": "red"},
        "a",
        {"sentence": "a", "intent": ["irrelevant"]},
    ]
    reply = site.post("/records/intents", items, API_KEY)
    assert (reply.status, reply.content_type) == (400, "application/problem+json")
    problem = reply.json()
    assert "6 bad items" in problem["detail"]
    named = [(entry["item"], entry["field"]) for entry in problem["problems"]]
    fields = ["sentence", "intent", "sentence", "colour", "item", "intent"]
    assert named == list(zip([1, 2, 3, 5, 6, 7], fields, strict=True))
    assert all(entry["reason"] for entry in problem["problems"])
    assert site.records(origin="api") == before
    assert row_of(site, sentence=good["sentence"]) is None


def send(site: Site, items: object, idempotency_key: str) -> Reply:
    """Send rows with an Idempotency-Key."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {API_KEY}",
        "Idempotency-Key": idempotency_key,
    }
    return site.ask("POST", "/records/intents", json.dumps(items).encode(), headers)


def test_rows_with_an_idempotency_key_are_added_beside_others_once(site: Site) -> None:
    """A client that got no answer may send its request again."""
    items = [{"sentence": "encore une fois", "intent": "purchase"}]
    assert add(site, items) == counts(added=1, records=1)
    first, again, other = (send(site, items, key).json() for key in ("one", "one", "two"))
    assert first == again == other == counts(added=1)
    with site.store.reading() as connection:
        dataset = find_dataset(connection, "intents")
        key = row_of(site, sentence="encore une fois").key
        assert read_record_detail(connection, dataset, key).labels == {"purchase": 3}


def test_an_idempotency_key_with_another_body_is_refused(site: Site) -> None:
    """Otherwise its rows would be lost without a word."""
    assert send(site, [{"sentence": "la première", "intent": "purchase"}], "same").status == 200
    reply = send(site, [{"sentence": "la deuxième", "intent": "purchase"}], "same")
    assert (reply.status, reply.content_type) == (422, "application/problem+json")
    assert "another body" in reply.json()["detail"]
    assert row_of(site, sentence="la deuxième") is None
