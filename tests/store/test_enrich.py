"""Tests of enrichment: which values become stale and are computed again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from db.admin.store_status import dataset_status
from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset, find_dataset
from db.records.lookup import find_body
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.executors.base import RecipeError
from enrich.executors.local import LocalExecutor
from enrich.learning.training import train_model
from enrich.planning.maintenance import refresh_plan
from enrich.worker.worker import working
from tests.conftest import WORDS_TEACHER, ask, notes_spec, register
from tests.inline import enrich_now

from . import sample_enrichers

SAMPLES = "tests.store.sample_enrichers"


def spec_with(**enrichers: EnricherSpec) -> DatasetSpec:
    """Return a spec of short sentences with these enrichers."""
    return notes_spec(enrichers)


CHAIN = notes_spec(
    {
        "length": EnricherSpec(use=f"{SAMPLES}.Length"),
        "double": EnricherSpec(use=f"{SAMPLES}.Double", reads=("length",)),
        "shout": EnricherSpec(use=f"{SAMPLES}.Shout"),
    },
    WORDS_TEACHER,
)


def fill(store: Store, dataset: Dataset, rows: int = 60) -> None:
    """Add labelled records whose words reveal the label."""
    words = {"warm": "merci beaucoup", "cold": "rien du tout"}
    records = []
    for number in range(rows):
        tone = ("warm", "cold")[number % 2]
        inputs = dataset.spec.read_inputs({"sentence": f"{words[tone]} {number}"})
        records.append(NewRow(dataset.spec.key(inputs), inputs, tone))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset with a chain of enrichers and 60 labelled records."""
    found = register(store, CHAIN)
    fill(store, found)
    return found


def fresh(store: Store, settings: Settings, name: str = "notes") -> dict[str, int]:
    """Return the number of fresh values by enricher, under the current plan."""
    with store.writing() as connection:
        refresh_plan(connection, find_dataset(connection, name), settings)
        status = dataset_status(connection, find_dataset(connection, name))
    counts: dict[str, int] = status["enriched"]
    return counts


def values(store: Store, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Return each record's enrichments by sentence."""
    return {row["inputs"]["sentence"]: row["enrichments"] for row in export_rows(store, dataset)}


def test_every_record_gets_every_value(store: Store, settings: Settings, notes: Dataset) -> None:
    """An enricher that reads another enricher gets its value."""
    assert enrich_now(store, settings) == 180
    assert values(store, notes)["merci beaucoup 0"] == {
        "length": 16,
        "double": 32,
        "shout": "MERCI BEAUCOUP 0",
    }


def test_fresh_values_are_not_computed_again(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """A second pass computes nothing."""
    enrich_now(store, settings)
    assert enrich_now(store, settings) == 0
    assert notes.name == "notes"


@pytest.mark.parametrize(
    ("changed", "stale"),
    [("Length", {"length", "double"}), ("Double", {"double"}), ("Shout", {"shout"})],
)
def test_a_new_version_makes_its_own_values_and_those_that_read_them_stale(
    store: Store,
    settings: Settings,
    notes: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
    stale: set[str],
) -> None:
    """All other values stay fresh and are not computed again."""
    enrich_now(store, settings)
    monkeypatch.setattr(getattr(sample_enrichers, changed), "version", "2")
    counts = fresh(store, settings)
    assert {name for name, count in counts.items() if count == 0} == stale
    assert enrich_now(store, settings) == 60 * len(stale)
    assert set(fresh(store, settings).values()) == {60}
    assert len(values(store, notes)) == 60


def test_the_old_prediction_is_served_until_the_new_one_is_written(
    store: Store, settings: Settings, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a value that the teacher reads is stale, the old answer stays available."""
    enrich_now(store, settings)
    train_model(store, "notes", settings)
    enrich_now(store, settings)
    key = notes.spec.key({"sentence": "merci beaucoup 0"})
    with store.reading() as connection:
        before = find_body(connection, notes.id, key)
    assert before is not None
    monkeypatch.setattr(sample_enrichers.Length, "version", "2")
    assert fresh(store, settings)["prediction"] == 0
    with store.reading() as connection:
        assert find_body(connection, notes.id, key) == before
    enrich_now(store, settings)
    assert fresh(store, settings)["prediction"] == 60
    with store.reading() as connection:
        assert find_body(connection, notes.id, key) is not None


def test_a_new_model_makes_every_prediction_stale_and_nothing_else(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Until they are replaced, the old predictions name the old model."""
    enrich_now(store, settings)
    train_model(store, "notes", settings)
    assert enrich_now(store, settings) == 60
    train_model(store, "notes", settings, force=True)
    key = notes.spec.key({"sentence": "rien du tout 1"})
    models = []
    for _ in range(2):
        with store.reading() as connection:
            body = find_body(connection, notes.id, key)
        models.append(msgspec.json.decode(body or b"{}")["model"])
        enrich_now(store, settings)
    assert models == ["notes@1", "notes@2"]


def test_a_requested_input_is_enriched_and_answered_by_the_teacher(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """The next request for it gets the teacher's answer."""
    enrich_now(store, settings)
    train_model(store, "notes", settings)
    enrich_now(store, settings)
    inputs = notes.spec.read_inputs({"sentence": "merci beaucoup à tous"})
    key = notes.spec.key(inputs)
    with store.writing() as connection:
        ask(connection, notes.id, [NewRow(key, inputs)])
    assert enrich_now(store, settings) == 4
    with store.reading() as connection:
        body = msgspec.json.decode(find_body(connection, notes.id, key) or b"{}")
    assert (body["source"], body["enrichment"]) == ("teacher", "done")
    assert body["prediction"] == "warm"


def test_a_record_that_an_enricher_refuses_is_quarantined_and_the_others_are_enriched(
    store: Store, settings: Settings
) -> None:
    """The enricher runs in a real child process, as a user's code does."""
    found = register(store, spec_with(picky=EnricherSpec(use=f"{SAMPLES}.Picky")))
    fill(store, found, 30)
    poison = found.spec.read_inputs({"sentence": "du poison"})
    with store.writing() as connection:
        add_rows(connection, found, [NewRow(found.spec.key(poison), poison)], "import")
    with working(store, settings, threading.Event(), LocalExecutor()) as worker:
        worker.enrich(wait=True)
    with store.reading() as connection:
        status = dataset_status(connection, find_dataset(connection, "notes"))
    assert status["enriched"] == {"picky": 30}
    assert (status["quarantined"], status["chunks"]) == (1, 0)


def test_an_enricher_that_cannot_start_quarantines_no_record(
    store: Store, settings: Settings
) -> None:
    """The chunk is returned unchanged, and the error names the cause."""
    found = register(store, spec_with(broken=EnricherSpec(use=f"{SAMPLES}.Broken")))
    fill(store, found, 30)
    with (
        pytest.raises(RecipeError, match="the model file is missing"),
        working(store, settings, threading.Event(), LocalExecutor()) as worker,
    ):
        worker.enrich()
    with store.reading() as connection:
        assert dataset_status(connection, found)["quarantined"] == 0


def test_once_ends_with_an_error_if_records_were_quarantined(
    store: Store, command: Callable[..., Any]
) -> None:
    """A script must notice the failure by the exit code."""
    found = register(store, spec_with(picky=EnricherSpec(use=f"{SAMPLES}.Picky")))
    poison = found.spec.read_inputs({"sentence": "du poison"})
    with store.writing() as connection:
        add_rows(connection, found, [NewRow(found.spec.key(poison), poison)], "import")
    done = command("enrich", "once")
    assert done.code == 1
    assert "1 of them lack a value and are quarantined" in done.err
    assert "I do not take poison" in done.err
    assert command("enrich", "once").code == 0


def test_a_dataset_that_cannot_be_enriched_does_not_block_the_others(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Its error is reported, and the other datasets are enriched."""
    broken = msgspec.structs.replace(
        spec_with(broken=EnricherSpec(use=f"{SAMPLES}.Broken")), name="broken"
    )
    missing = msgspec.structs.replace(
        spec_with(gone=EnricherSpec(use=f"{SAMPLES}.Gone")), name="missing"
    )
    for spec in (broken, missing):
        fill(store, register(store, spec), 30)
    failed: list[str] = []
    with working(store, settings, threading.Event(), LocalExecutor()) as worker:
        done = worker.enrich(on_error=lambda name, _: failed.append(name))
    assert (done, sorted(failed)) == (60, ["broken", "missing"])
    assert set(fresh(store, settings).values()) == {60}
    assert len(values(store, notes)) == 60
