"""Predictions over HTTP, as clients get them."""

from __future__ import annotations

import threading
import unicodedata
from typing import Any

import msgspec
import pytest

from db.records.dataset import find_dataset
from db.records.models.model_versions import NewModel, add_model, read_out_of_fold
from db.records.models.trained_model import active_model, find_model, read_student, read_teacher
from enrich.executors.local import LocalExecutor
from enrich.planning.maintenance import use_model
from enrich.worker.worker import working
from tests.conftest import register, sample_spec, settings_for

from .conftest import Site, query, until

LABELS = set(sample_spec("intents").labels)
SENTENCE = "Trouve un hôtel près de Talence"


def predict_customer(site: Site, **inputs: object) -> Any:  # noqa: ANN401
    """Return the prediction for a customer."""
    reply = site.get(f"/predict/customers?{query(**inputs)}")
    assert reply.status == 200, reply.body
    return reply.json()


def test_the_only_dataset_with_exactly_these_fields_is_used(site: Site) -> None:
    """A client need not name a dataset if only one has the fields of its input."""
    by_sentence = site.get(f"/predict?{query(sentence=SENTENCE)}")
    by_customer = site.get("/predict?income=1000&education=PhD&age=30")
    assert (by_sentence.status, by_customer.status) == (200, 200)
    assert by_sentence.json()["dataset"] == "intents"
    assert by_customer.json()["dataset"] == "customers"


@pytest.mark.parametrize(
    "query_string", ["", "?", "?age=30", "?sentence=a&age=30", "?nothing=1", "?sentence=a&extra=1"]
)
def test_fields_that_fit_no_dataset_list_all_datasets(site: Site, query_string: str) -> None:
    """The problem tells the client what it can send."""
    reply = site.get(f"/predict{query_string}")
    assert (reply.status, reply.content_type) == (400, "application/problem+json")
    detail = reply.json()["detail"]
    assert "no dataset" in detail
    for known in ("/predict/intents", "sentence", "/predict/customers", "age", "income"):
        assert known in detail


def test_fields_that_fit_several_datasets_list_all_datasets(own_site: Site) -> None:
    """A guess could answer for the wrong dataset."""
    twin = msgspec.structs.replace(sample_spec("customers"), name="clients")
    register(own_site.store, twin)
    target = "/predict?income=1000&education=PhD&age=30"
    until(lambda: own_site.get(target).status != 200)
    reply = own_site.get(target)
    assert (reply.status, reply.content_type) == (400, "application/problem+json")
    detail = reply.json()["detail"]
    assert "several datasets" in detail
    assert "/predict/clients" in detail
    assert "/predict/customers" in detail


def test_a_named_dataset_gives_the_same_answer(site: Site) -> None:
    """The name only says which dataset is meant."""
    sentence = query(sentence=SENTENCE)
    named, matched = site.get(f"/predict/intents?{sentence}"), site.get(f"/predict?{sentence}")
    assert named.content_type == "application/json"
    assert named.json() == matched.json()


def test_a_classification_ranks_every_label(site: Site) -> None:
    """Probabilities sum to 1, the most likely comes first and is the prediction."""
    answer = site.predict(SENTENCE)
    probabilities = answer["probabilities"]
    assert set(probabilities) == LABELS
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert answer["prediction"] == next(iter(probabilities)) == "find-hotel"
    assert (answer["model"], answer["warnings"]) == ("intents@1", [])


def test_a_regression_has_a_number_and_no_probabilities(site: Site) -> None:
    """Only labels have probabilities."""
    answer = predict_customer(site, age=42, education="Master", income=41500)
    assert isinstance(answer["prediction"], float | int)
    assert 5_000 < answer["prediction"] < 20_000
    assert "probabilities" not in answer
    assert (answer["model"], answer["warnings"]) == ("customers@1", [])


def test_a_number_outside_what_training_saw_is_answered_with_warnings(site: Site) -> None:
    """It may be a mistake or a rare case: the client decides."""
    reply = site.get("/predict?education=PhD&age=12&income=1000")
    assert (reply.status, reply.content_type) == (200, "application/json")
    answer = reply.json()
    assert isinstance(answer["prediction"], float | int)
    assert len(answer["warnings"]) == 2
    assert any("age" in warning for warning in answer["warnings"])
    assert any("income" in warning for warning in answer["warnings"])


@pytest.mark.parametrize("age", ["30.0", "3e1", "+30", "%2030%20", "030", "0.3e2"])
def test_one_number_written_in_several_ways_is_one_input(site: Site, age: str) -> None:
    """A record's key depends on the value, not on how it is written."""
    plain = site.get("/predict/customers?education=PhD&income=1000&age=30")
    other = site.get(f"/predict/customers?education=PhD&income=1000&age={age}")
    assert (plain.status, other.status) == (200, 200)
    assert plain.body == other.body
    assert plain.headers["ETag"] == other.headers["ETag"]


def test_minus_zero_is_zero(site: Site) -> None:
    """Both are the same value."""
    zero, minus = (
        site.get(f"/predict/customers?education=PhD&age={age}&income={age}") for age in ("0", "-0")
    )
    assert zero.status == minus.status == 200
    assert zero.body == minus.body


@pytest.mark.parametrize(
    "written",
    [
        unicodedata.normalize("NFD", SENTENCE),
        f"  {SENTENCE}\n",
        SENTENCE.replace(" ", " \t\u00a0 "),
    ],
    ids=["NFD", "padded", "spaced"],
)
def test_one_sentence_written_in_several_ways_is_one_input(site: Site, written: str) -> None:
    """Keyboards encode an ô in different ways, and people type different spaces."""
    assert written != SENTENCE
    assert site.predict(written) == site.predict(SENTENCE)


def test_case_makes_another_input(site: Site) -> None:
    """Case may mean something, so it is kept."""
    sentence = "Réserve Une Table Au Bistrot"
    for written in (sentence, sentence.lower()):
        site.predict(written)
    until(lambda: sum("istrot" in row.inputs for row in site.records(origin="request")) == 2)


def test_a_plus_is_a_space_and_an_encoded_plus_is_not(site: Site) -> None:
    """HTML forms encode a space as a plus."""
    assert site.get("/predict/intents?sentence=vols+pr+usa").json() == site.predict("vols pr usa")
    reply = site.get("/predict/customers?education=High+School&age=%2B30&income=1000")
    assert reply.status == 200


def test_an_unseen_sentence_is_answered_then_stored_then_enriched(site: Site) -> None:
    """The test follows one record from the student's answer to the teacher's."""
    sentence = "un vol pour Reykjavik dimanche à l'aube, côté hublot"
    first = site.predict(sentence)
    assert (first["source"], first["enrichment"]) == ("student", "queued")
    row = until(
        lambda: [row for row in site.records(origin="request") if "Reykjavik" in row.inputs]
    )
    assert (row[0].label, row[0].asked) == (None, True)
    enrich_some(site)
    answer = until(lambda: (a := site.predict(sentence))["source"] == "teacher" and a)
    assert answer["enrichment"] == "done"
    assert answer["model"] == "intents@1"
    assert set(answer["probabilities"]) == LABELS


def enrich_some(site: Site) -> None:
    """Enrich one chunk of sentences; requested records come first."""
    stop = threading.Event()
    left = [True]
    settings = settings_for(site.url)
    with working(site.store, settings, stop, LocalExecutor(stop.is_set)) as worker:
        done = worker.enrich(["intents"], may_work=lambda: bool(left and left.pop()))
    assert done > 0


def add_version(site: Site, name: str) -> int:
    """Add a version with the artifacts of the active one; return its number."""
    with site.store.writing() as connection:
        dataset = find_dataset(connection, name)
        old = active_model(connection, dataset.id)
        assert old is not None
        new = NewModel(
            metrics=old.metrics,
            reads=old.reads,
            student=read_student(connection, old),
            teacher=read_teacher(connection, old),
            out_of_fold=read_out_of_fold(connection, old) or b"",
        )
        version = add_model(connection, dataset.id, new)
        assert not find_model(connection, dataset, version).active
        return version


def test_an_activated_model_is_served_without_a_restart(own_site: Site) -> None:
    """A return to the earlier model needs no restart either."""
    settings = settings_for(own_site.url)
    version = add_version(own_site, "customers")

    def model() -> str:
        inputs = {"age": 30, "education": "PhD", "income": 30_000}
        return str(predict_customer(own_site, **inputs)["model"])

    assert model() == "customers@1"
    use_model(own_site.store, "customers", version, settings)
    until(lambda: model() == "customers@2")
    use_model(own_site.store, "customers", 1, settings)
    until(lambda: model() == "customers@1")
    assert own_site.predict(SENTENCE)["model"] == "intents@1"
