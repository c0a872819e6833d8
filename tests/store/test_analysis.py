"""Surveys: looks at a whole set, made when they are due and never read by a teacher."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from db.files.exporter import export_rows
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, find_dataset
from db.records.model import active_model
from db.records.record import NewRecord, add_records
from db.spec.dataset_spec import DatasetSpec, EnricherSpec
from db.spec.field import TextField
from db.store.engine import Store
from tests.conftest import Done, notes_spec, register
from tests.faults.conftest import FULL

RECORDS = 100
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
TONES = {"warm": "merci", "cold": "rien"}
# Every other label of these is another's.
WRONG = range(0, 40, 10)
LENGTH = EnricherSpec(use="tests.store.sample_enrichers.Length")
# Training takes seconds, and is the same on both.
TRAINS = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql"] if FULL else ["sqlite"], indirect=True
)
ENRICHERS = {"length": LENGTH, "near_duplicates": EnricherSpec(), "label_issues": EnricherSpec()}


def spec_with(enrichers: dict[str, EnricherSpec]) -> DatasetSpec:
    """Return a spec of sentences with these enrichers."""
    return notes_spec(enrichers)


def fill(store: Store, dataset: Dataset, first: int, last: int, *, labelled: bool = True) -> None:
    """Add records in pairs that say nearly the same; a few labels are wrong."""
    rows = []
    for number in range(first, last):
        tone = ("warm", "cold")[number // 2 % 2]
        sentence = f"{TONES[tone]} {word(number // 2)}{' !' * (number % 2)}"
        inputs = dataset.spec.read_inputs({"sentence": sentence})
        label = ("cold" if tone == "warm" else "warm") if number in WRONG else tone
        rows.append(NewRecord(dataset.spec.key(inputs), inputs, label if labelled else None))
    with store.writing() as connection:
        add_records(connection, dataset.id, rows, "import")


def word(number: int) -> str:
    """Return words that have nothing in common with another number's."""
    chance = random.Random(number)
    return " ".join("".join(chance.choices(ALPHABET, k=7)) for _ in range(6))


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Give a dataset of a hundred labelled records with all surveys."""
    found = register(store, spec_with(ENRICHERS))
    fill(store, found, 0, RECORDS)
    return found


def values(store: Store, dataset: Dataset, enricher: str) -> list[Any]:
    """Return the values that are there."""
    return [
        row["enrichments"][enricher]
        for row in export_rows(store, dataset)
        if enricher in row["enrichments"]
    ]


def told_by(store: Store, dataset: Dataset) -> dict[str, tuple[int, str]]:
    """Return each survey's number and what it was told by."""
    with store.reading() as connection:
        analyses = all_analyses(connection, dataset.id)
    return {name: (one.number, one.basis) for name, one in analyses.items()}


def done(store: Store, command: Callable[..., Done], *arguments: str) -> str:
    """Run a command that must do well."""
    ended = command("enrich", *arguments)
    assert ended.code == 0, ended.err
    assert store is not None
    return ended.out.strip()


def plan(store: Store) -> tuple[object, int]:
    """Return the plan and its revision."""
    with store.reading() as connection:
        dataset = find_dataset(connection, "notes")
    return dataset.plan, dataset.revision


def test_near_duplicates_are_found_stored_and_exported_for_each_record(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """`once` looks at the set first; a record that is like no other has null."""
    fill(store, notes, 500, 501)
    done(store, command, "once")
    found = values(store, notes, "near_duplicates")
    assert len(found) == RECORDS + 1
    assert found.count(None) == 1
    assert {one["size"] for one in found if one} == {2}
    assert len({one["group"] for one in found if one}) == RECORDS // 2
    exported = command("db", "export", "notes").out.splitlines()
    rows = [json.loads(line)["enrichments"] for line in exported]
    assert [row["near_duplicates"] for row in rows] == found
    assert "near_duplicates" in command("db", "export", "notes", "--csv").out.splitlines()[0]


@TRAINS
def test_label_issues_are_found_once_there_is_a_model(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """By its out-of-fold answers; before, nobody waits for them."""
    done(store, command, "once")
    assert values(store, notes, "label_issues") == []
    done(store, command, "train", "notes")
    said = done(store, command, "survey", "notes")
    assert "notes: label_issues was told by notes@1; run: python -m enrich once" in said
    done(store, command, "once")
    found = values(store, notes, "label_issues")
    assert len(found) == RECORDS
    assert all(0 <= one["quality"] <= 1 for one in found)
    issues = {row["key"]: row for row in export_rows(store, notes)}
    wrong = [
        row
        for row in issues.values()
        if row["enrichments"]["label_issues"]["issue"]
        and row["enrichments"]["label_issues"]["suggested"] != row["label"]
    ]
    assert wrong


def test_a_record_without_a_label_has_no_label_issue(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """Its value is null, so that it is not stale for ever."""
    fill(store, notes, 600, 605, labelled=False)
    done(store, command, "train", "notes")
    done(store, command, "once")
    found = values(store, notes, "label_issues")
    assert (len(found), found.count(None)) == (RECORDS + 5, 5)


def test_a_set_that_has_grown_by_a_tenth_is_looked_at_again(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """Every value is made anew then; until then new records have none of their own."""
    done(store, command, "once")
    fill(store, notes, RECORDS, RECORDS + 9)
    done(store, command, "once")
    assert told_by(store, notes)["near_duplicates"] == (1, "100 records")
    assert values(store, notes, "near_duplicates").count(None) == 9
    fill(store, notes, RECORDS + 9, RECORDS + 10)
    assert "near_duplicates was told by 110 records" in done(store, command, "survey")
    assert done(store, command, "survey") == "notes: no survey is due"
    done(store, command, "once")
    found = values(store, notes, "near_duplicates")
    assert len(found) == RECORDS + 10
    assert {one["size"] for one in found} == {2}


@TRAINS
def test_a_new_model_makes_label_issues_due_and_nothing_else(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """Its answers are others; so are those of a model that one goes back to."""
    done(store, command, "train", "notes")
    done(store, command, "once")
    assert told_by(store, notes)["label_issues"] == (1, "notes@1")
    done(store, command, "train", "notes", "--force")
    assert json.loads(done(store, command, "survey", "--json")) == {
        "notes": {"label_issues": "notes@2"}
    }
    done(store, command, "activate", "notes@1")
    done(store, command, "once")
    assert told_by(store, notes) == {
        "label_issues": (3, "notes@1"),
        "near_duplicates": (1, "100 records"),
    }
    assert len(values(store, notes, "label_issues")) == RECORDS


@TRAINS
def test_training_never_reads_a_survey(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """It would learn its own answers, or what it knows of the folds it is tested on."""
    for _ in range(2):
        done(store, command, "once")
        done(store, command, "train", "notes", "--force")
        done(store, command, "once")
    with store.reading() as connection:
        model = active_model(connection, notes.id)
    assert model is not None
    assert (model.version, set(model.reads)) == (2, {"length"})
    assert set(model.metrics["covering"]) == {"length"}


@TRAINS
def test_a_plan_with_surveys_is_stable(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """Once all is done a second `once` does nothing, and nor does a survey."""
    done(store, command, "train", "notes")
    done(store, command, "once")
    before = plan(store), told_by(store, notes)
    for _ in range(2):
        assert done(store, command, "once") == "enriched 0 records"
        assert done(store, command, "survey") == "notes: no survey is due"
    assert (plan(store), told_by(store, notes)) == before


def test_another_configuration_makes_a_survey_due(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """However many records there are."""
    done(store, command, "once")
    strict = EnricherSpec(config={"threshold": 1.0})
    register(store, spec_with({**ENRICHERS, "near_duplicates": strict}))
    done(store, command, "once")
    assert told_by(store, notes)["near_duplicates"] == (2, "100 records")
    assert len(values(store, notes, "near_duplicates")) == RECORDS


def test_a_survey_that_the_spec_no_longer_names_is_dropped(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """At the next look."""
    done(store, command, "once")
    register(store, spec_with({"length": LENGTH}))
    done(store, command, "survey")
    assert told_by(store, notes) == {}


def test_label_issues_of_a_regression_are_refused(
    store: Store, command: Callable[..., Done]
) -> None:
    """It has no labels that could be another's."""
    rents = DatasetSpec(
        name="rents",
        kind="regression",
        target="rent",
        fields={"notice": TextField()},
        enrichers={"label_issues": EnricherSpec()},
    )
    register(store, rents)
    for arguments in (("survey",), ("once",)):
        ended = command("enrich", *arguments)
        assert ended.code == 1
        assert ended.err.strip() == (
            "veilleuse: enrichers.label_issues: needs labels, and rents is a regression"
        )
