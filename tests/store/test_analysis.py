"""Tests of dataset-wide analyses: when they run, and that a teacher never reads them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, find_dataset
from db.records.models.trained_model import active_model
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store.store import Store
from tests.conftest import WORDS_TEACHER, Done, notes_spec, register
from tests.faults.conftest import FULL

RECORDS = 100
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
TONES = {"warm": "merci", "cold": "rien"}
# The records with these numbers get the wrong label.
WRONG = range(0, 40, 10)
LENGTH = EnricherSpec(use="tests.store.sample_enrichers.Length")
# Training takes seconds and is the same on both databases.
TRAINS = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql"] if FULL else ["sqlite"], indirect=True
)
ENRICHERS = {"length": LENGTH, "near_duplicates": EnricherSpec(), "label_issues": EnricherSpec()}


def spec_with(enrichers: dict[str, EnricherSpec]) -> DatasetSpec:
    """Return a spec of sentences with these enrichers."""
    return notes_spec(enrichers)


def fill(store: Store, dataset: Dataset, first: int, last: int, *, labelled: bool = True) -> None:
    """Add pairs of records with nearly the same sentence; a few labels are wrong."""
    rows = []
    for number in range(first, last):
        tone = ("warm", "cold")[number // 2 % 2]
        sentence = f"{TONES[tone]} {random_words(number // 2)}{' !' * (number % 2)}"
        inputs = dataset.spec.read_inputs({"sentence": sentence})
        label = ("cold" if tone == "warm" else "warm") if number in WRONG else tone
        rows.append(NewRow(dataset.spec.key(inputs), inputs, label if labelled else None))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")


def random_words(number: int) -> str:
    """Return six random words, which differ for each number."""
    chance = random.Random(number)
    return " ".join("".join(chance.choices(ALPHABET, k=7)) for _ in range(6))


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset of 100 labelled records with every enricher that needs an analysis."""
    found = register(store, spec_with(ENRICHERS))
    fill(store, found, 0, RECORDS)
    return found


def values(store: Store, dataset: Dataset, enricher: str) -> list[Any]:
    """Return the enricher's values of all records that have one."""
    return [
        row["enrichments"][enricher]
        for row in export_rows(store, dataset)
        if enricher in row["enrichments"]
    ]


def bases_of(store: Store, dataset: Dataset) -> dict[str, tuple[int, str]]:
    """Return the number and the basis of each analysis, by enricher."""
    with store.reading() as connection:
        analyses = all_analyses(connection, dataset.id)
    return {name: (analysis.number, analysis.basis) for name, analysis in analyses.items()}


def run_enrich(store: Store, command: Callable[..., Done], *arguments: str) -> str:
    """Run an enrich command that must succeed, and return its output."""
    result = command("enrich", *arguments)
    assert result.code == 0, result.err
    assert store is not None
    return result.out.strip()


def plan(store: Store) -> tuple[object, int]:
    """Return the dataset's plan and its revision."""
    with store.reading() as connection:
        dataset = find_dataset(connection, "notes")
    return dataset.plan, dataset.revision


def test_near_duplicates_are_found_stored_and_exported_for_each_record(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """`once` analyses the dataset first; a record without near duplicates gets null."""
    fill(store, notes, 500, 501)
    run_enrich(store, command, "once")
    found = values(store, notes, "near_duplicates")
    assert len(found) == RECORDS + 1
    assert found.count(None) == 1
    assert {value["size"] for value in found if value} == {2}
    assert len({value["group"] for value in found if value}) == RECORDS // 2
    exported = command("db", "export", "notes").out.splitlines()
    rows = [json.loads(line)["enrichments"] for line in exported]
    assert [row["near_duplicates"] for row in rows] == found
    assert "near_duplicates" in command("db", "export", "notes", "--csv").out.splitlines()[0]


@pytest.mark.slow
@TRAINS
def test_label_issues_are_found_once_there_is_a_model(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """The analysis reads out-of-fold answers, so it is not due without a model."""
    run_enrich(store, command, "once")
    assert values(store, notes, "label_issues") == []
    run_enrich(store, command, "train", "notes")
    output = run_enrich(store, command, "survey", "notes")
    assert "notes: label_issues has analysed notes@1; run: python -m enrich once" in output
    run_enrich(store, command, "once")
    found = values(store, notes, "label_issues")
    assert len(found) == RECORDS
    assert all(0 <= value["quality"] <= 1 for value in found)
    issues = {row["key"]: row for row in export_rows(store, notes)}
    wrong = [
        row
        for row in issues.values()
        if row["enrichments"]["label_issues"]["issue"]
        and row["enrichments"]["label_issues"]["suggested"] != row["label"]
    ]
    assert wrong


@pytest.mark.slow
def test_a_record_without_a_label_has_no_label_issue(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """Its value is null; without a value the record would stay stale for ever."""
    fill(store, notes, 600, 605, labelled=False)
    run_enrich(store, command, "train", "notes")
    run_enrich(store, command, "once")
    found = values(store, notes, "label_issues")
    assert (len(found), found.count(None)) == (RECORDS + 5, 5)


def test_a_dataset_that_has_grown_by_a_tenth_is_analysed_again(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """The new analysis recomputes every value; until then new records have null."""
    run_enrich(store, command, "once")
    fill(store, notes, RECORDS, RECORDS + 9)
    run_enrich(store, command, "once")
    assert bases_of(store, notes)["near_duplicates"] == (1, "100 records")
    assert values(store, notes, "near_duplicates").count(None) == 9
    fill(store, notes, RECORDS + 9, RECORDS + 10)
    assert "near_duplicates has analysed 110 records" in run_enrich(store, command, "survey")
    assert run_enrich(store, command, "survey") == "notes: no analysis is due"
    run_enrich(store, command, "once")
    found = values(store, notes, "near_duplicates")
    assert len(found) == RECORDS + 10
    assert {value["size"] for value in found} == {2}


@pytest.mark.slow
@TRAINS
def test_a_new_model_makes_label_issues_due_and_nothing_else(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """Each model has its own answers, also a model that is activated again."""
    run_enrich(store, command, "train", "notes")
    run_enrich(store, command, "once")
    assert bases_of(store, notes)["label_issues"] == (1, "notes@1")
    run_enrich(store, command, "train", "notes", "--force")
    assert json.loads(run_enrich(store, command, "survey", "--json")) == {
        "notes": {"label_issues": "notes@2"}
    }
    run_enrich(store, command, "activate", "notes@1")
    run_enrich(store, command, "once")
    assert bases_of(store, notes) == {
        "label_issues": (3, "notes@1"),
        "near_duplicates": (1, "100 records"),
    }
    assert len(values(store, notes, "label_issues")) == RECORDS


@pytest.mark.slow
@TRAINS
def test_training_never_reads_an_analysis(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """An analysis contains the model's answers and information about the test folds."""
    # The default teacher may read no enrichment at all.
    register(store, msgspec.structs.replace(notes.spec, teacher=WORDS_TEACHER))
    for _ in range(2):
        run_enrich(store, command, "once")
        run_enrich(store, command, "train", "notes", "--force")
        run_enrich(store, command, "once")
    with store.reading() as connection:
        model = active_model(connection, notes.id)
    assert model is not None
    assert (model.version, set(model.reads)) == (2, {"length"})
    assert set(model.metrics["covering"]) == {"length"}


@pytest.mark.slow
@TRAINS
def test_a_plan_with_analyses_is_stable(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """When all values are fresh, `once` and `survey` change nothing."""
    run_enrich(store, command, "train", "notes")
    run_enrich(store, command, "once")
    before = plan(store), bases_of(store, notes)
    for _ in range(2):
        assert run_enrich(store, command, "once") == "enriched 0 records"
        assert run_enrich(store, command, "survey") == "notes: no analysis is due"
    assert (plan(store), bases_of(store, notes)) == before


def test_a_new_configuration_makes_an_analysis_due(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """The analysis is due although no record was added."""
    run_enrich(store, command, "once")
    strict = EnricherSpec(config={"threshold": 1.0})
    register(store, spec_with({**ENRICHERS, "near_duplicates": strict}))
    run_enrich(store, command, "once")
    assert bases_of(store, notes)["near_duplicates"] == (2, "100 records")
    assert len(values(store, notes, "near_duplicates")) == RECORDS


def test_an_analysis_that_the_spec_no_longer_names_is_deleted(
    store: Store, command: Callable[..., Done], notes: Dataset
) -> None:
    """The next `survey` deletes it."""
    run_enrich(store, command, "once")
    register(store, spec_with({"length": LENGTH}))
    run_enrich(store, command, "survey")
    assert bases_of(store, notes) == {}


def test_label_issues_of_a_regression_are_refused(
    store: Store, command: Callable[..., Done]
) -> None:
    """A regression has no classes, so a label cannot belong to another class."""
    rents = DatasetSpec(
        name="rents",
        kind="regression",
        target="rent",
        fields={"notice": TextField()},
        enrichers={"label_issues": EnricherSpec()},
    )
    register(store, rents)
    for arguments in (("survey",), ("once",)):
        result = command("enrich", *arguments)
        assert result.code == 1
        assert result.err.strip().endswith(
            ": enrichers.label_issues: needs labels, and rents is a regression"
        )
