"""Tests of neighbours in the store: when they are found, and what changes them."""

from __future__ import annotations

from typing import Any

import pytest

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, find_dataset
from db.records.enrichment import (
    count_vectors,
    each_vector,
    existing_neighbours,
    read_fresh_value,
)
from db.records.record import forget_record
from db.settings import Settings
from db.store.store import Store
from enrich import dataset_analysis
from enrich.dataset_analysis import analyse_dataset
from enrich.learning.training_data import read_training_data
from enrich.planning.analysis_due import analysis_due
from tests.conftest import notes_spec, register
from tests.inline import enrich_now

from .vector_enrichers import enrichers

# The first five have labels; "nowhere" has no vector.
LABELS = {"0": "east", "10": "east", "90": "north", "100": "north", "nowhere": "lost"}
UNLABELLED = ("5", "80", "elsewhere")


def key_of(dataset: Dataset, sentence: str) -> bytes:
    """Return the key of the record with this sentence."""
    return dataset.spec.key(dataset.spec.read_inputs({"sentence": sentence}))


def add(store: Store, dataset: Dataset, labels: dict[str, str | None]) -> None:
    """Add a row for each sentence, with its label."""
    rows = []
    for sentence, label in labels.items():
        inputs = dataset.spec.read_inputs({"sentence": sentence})
        rows.append(NewRow(dataset.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")


def find_all(store: Store, settings: Settings) -> dict[str, str]:
    """Make the vectors, the analysis and its values; return the bases of the analyses."""
    enrich_now(store, settings)
    bases = analyse_dataset(store, "notes", settings)
    enrich_now(store, settings)
    return bases


def fresh(store: Store, dataset: Dataset, sentence: str) -> Any:  # noqa: ANN401
    """Return the fresh value of a record, None if there is none."""
    with store.reading() as connection:
        return read_fresh_value(connection, dataset.id, key_of(dataset, sentence), "neighbours")


def found(store: Store, dataset: Dataset, sentence: str) -> list[tuple[str, str]]:
    """Return the sentence and the label of each existing neighbour of a record."""
    sentences = {key_of(dataset, one).hex(): one for one in (*LABELS, *UNLABELLED, "95", "85")}
    with store.reading() as connection:
        value = fresh(store, dataset, sentence)
        neighbours = existing_neighbours(connection, dataset.id, value)
    assert neighbours is not None
    return [(sentences[one.key], one.label) for one in neighbours]


def due(store: Store, settings: Settings) -> str:
    """Return why an analysis is due."""
    with store.reading() as connection:
        return analysis_due(connection, find_dataset(connection, "notes"), settings)


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset of directions, five of them with a label."""
    dataset = register(store, notes_spec(enrichers()))
    add(store, dataset, {**LABELS, **dict.fromkeys(UNLABELLED)})
    return dataset


def test_each_record_with_a_vector_gets_its_most_similar_labelled_records(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Neither itself, nor a record without a label or without a vector is among them."""
    find_all(store, settings)
    assert found(store, notes, "0") == [("10", "east"), ("90", "north")]
    assert found(store, notes, "80") == [("90", "north"), ("100", "north")]
    assert sorted(found(store, notes, "5")) == [("0", "east"), ("10", "east")]
    assert fresh(store, notes, "80")[0] == {
        "key": key_of(notes, "90").hex(),
        "label": "north",
        "similarity": 0.9848,
    }
    assert fresh(store, notes, "nowhere") is None


def test_an_analysis_waits_for_vectors_and_names_what_it_was_made_from(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Before the first run there are none; afterwards nothing is due."""
    assert (due(store, settings), analyse_dataset(store, "notes", settings)) == ("", {})
    assert find_all(store, settings) == {"neighbours": "6 records, 4 labelled"}
    assert due(store, settings) == ""
    assert enrich_now(store, settings) == 0
    assert found(store, notes, "0")


def test_without_a_labelled_vector_there_is_nothing_to_analyse(
    store: Store, settings: Settings
) -> None:
    """The first label makes the analysis due, although no record was added."""
    notes = register(store, notes_spec(enrichers()))
    add(store, notes, dict.fromkeys((*UNLABELLED, "0")))
    assert find_all(store, settings) == {}
    add(store, notes, {"0": "east"})
    assert due(store, settings) == "neighbours: there is no analysis yet"
    assert find_all(store, settings) == {"neighbours": "3 records, 1 labelled"}
    assert found(store, notes, "5") == [("0", "east")]
    assert found(store, notes, "0") == []


def test_a_corrected_label_is_shown_after_the_next_analysis(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Until then neighbours have the label of the time of the analysis."""
    find_all(store, settings)
    add(store, notes, {"90": "up"})
    find_all(store, settings)
    assert found(store, notes, "100") == [("90", "north"), ("10", "east")]
    add(store, notes, {"80": "up"})
    assert due(store, settings) == "neighbours: now 6 records, 5 labelled"
    find_all(store, settings)
    assert found(store, notes, "100") == [("90", "up"), ("80", "up")]


def test_records_without_a_vector_make_no_analysis_due(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """A new record with a vector does, as it is a tenth of them; until then it has no value."""
    find_all(store, settings)
    add(store, notes, {"no": "lost", "nor": "lost"})
    enrich_now(store, settings)
    assert due(store, settings) == ""
    add(store, notes, {"95": None})
    enrich_now(store, settings)
    assert due(store, settings) == "neighbours: now 7 records, 4 labelled"
    assert fresh(store, notes, "95") is None
    find_all(store, settings)
    assert {label for _, label in found(store, notes, "95")} == {"north"}


def test_a_deleted_record_is_not_shown_as_a_neighbour(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """The next analysis finds another in its place."""
    find_all(store, settings)
    with store.writing() as connection:
        forget_record(connection, notes.id, key_of(notes, "90"))
    assert found(store, notes, "80") == [("100", "north")]
    assert [one["label"] for one in fresh(store, notes, "80")] == ["north", "north"]
    add(store, notes, {"85": "north", "95": "north"})
    find_all(store, settings)
    assert {sentence for sentence, _ in found(store, notes, "80")} == {"85", "95"}


def test_neighbours_of_older_vectors_are_not_fresh(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Another configuration of the embedding makes the analysis due once there are vectors."""
    find_all(store, settings)
    register(store, notes_spec(enrichers(turned=1.0)))
    assert due(store, settings) == ""
    enrich_now(store, settings)
    assert fresh(store, notes, "0") is None
    assert due(store, settings).startswith("neighbours: its version or configuration, or what it")
    find_all(store, settings)
    assert found(store, notes, "80") == [("90", "north"), ("100", "north")]
    assert fresh(store, notes, "80")[0]["similarity"] == 0.9397
    with store.reading() as connection:
        assert all_analyses(connection, notes.id)["neighbours"].number == 2


def test_another_number_of_neighbours_makes_the_analysis_due(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """The vectors stay."""
    find_all(store, settings)
    register(store, notes_spec(enrichers(count=1)))
    find_all(store, settings)
    assert found(store, notes, "80") == [("90", "north")]


def test_a_fair_sample_of_many_labelled_records_is_compared(
    store: Store, settings: Settings, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of the smallest keys, which are hashes."""
    monkeypatch.setattr(dataset_analysis, "MOST_COMPARED", 2)
    # Later records have smaller keys as well.
    later = [str(angle) for angle in range(200, 240)]
    add(store, notes, dict.fromkeys(later, "south"))
    find_all(store, settings)
    keys = [key_of(notes, one).hex() for one in (*LABELS, *later) if one.isdigit()]
    assert sorted(one["key"] for one in fresh(store, notes, "5")) == sorted(keys)[:2]


def test_all_vectors_are_read_page_by_page(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Each once, whatever the size of the pages."""
    enrich_now(store, settings)
    with store.reading() as connection:
        fingerprint = find_dataset(connection, "notes").fingerprints()["direction"]
        vectors = notes.id, "direction", fingerprint
        pages = [list(each_vector(connection, *vectors, page=size)) for size in (1, 2, 6, 100)]
        counted = count_vectors(connection, *vectors)
        assert count_vectors(connection, notes.id, "direction", "another") == (0, 0)
    assert all(page == pages[0] for page in pages)
    sentences = {key_of(notes, one) for one in ("0", "10", "90", "100", "5", "80")}
    assert {vector.key for vector in pages[0]} == sentences
    assert (len(pages[0]), counted) == (6, (6, 4))


def test_no_teacher_reads_neighbours(store: Store, settings: Settings, notes: Dataset) -> None:
    """They are labels, also those of its test rows. It may read the vectors."""
    find_all(store, settings)
    data = read_training_data(store, "notes", settings, None, print)
    assert (set(data.covering), data.not_covering) == ({"direction"}, [])
    assert fresh(store, notes, "0") is not None


@pytest.mark.parametrize("value", [None, 3, "east", {"a": 1}, [1.5], [{"key": "no", "label": "x"}]])
def test_a_value_of_another_enricher_lists_no_neighbours(store: Store, value: object) -> None:
    """The page shows it as it is."""
    with store.reading() as connection:
        assert existing_neighbours(connection, 1, value) is None
        bad = [{"key": "no hex", "label": "x", "similarity": 1.0}]
        assert existing_neighbours(connection, 1, bad) is None
        assert existing_neighbours(connection, 1, []) == []
