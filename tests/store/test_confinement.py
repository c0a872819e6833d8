"""Tests of confinement: what is wrong with one dataset never stops another."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.exc import DataError, OperationalError

from db.admin.store_status import dataset_status
from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue import chunk as chunk_queue
from db.queue.fault import all_faults, read_faults
from db.queue.quarantine import count_quarantined
from db.records.dataset import Dataset, find_dataset
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Field, NumberField
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.learning.training import train_model
from enrich.pipeline import work_chunk
from enrich.worker.worker import Worker, working
from tests.conftest import WORDS_TEACHER, notes_spec, register
from tests.inline import InlineExecutor

from . import broken_enrichers, sample_enrichers
from .test_enrich import SAMPLES, fill

BROKEN = "tests.store.broken_enrichers"
LENGTH = EnricherSpec(use=f"{SAMPLES}.Length")


def named(name: str, **enrichers: EnricherSpec) -> DatasetSpec:
    """Return a spec of short sentences with these enrichers."""
    return msgspec.structs.replace(notes_spec(enrichers, WORDS_TEACHER), name=name)


def add(store: Store, name: str, **enrichers: EnricherSpec) -> Dataset:
    """Register a dataset with 30 labelled records."""
    dataset = register(store, named(name, **enrichers))
    fill(store, dataset, 30)
    return dataset


def enriched(store: Store, dataset: Dataset) -> dict[str, int]:
    """Return the number of fresh values by enricher."""
    with store.reading() as connection:
        status = dataset_status(connection, find_dataset(connection, dataset.name))
    counts: dict[str, int] = status["enriched"]
    return counts


def faults(store: Store) -> dict[tuple[str, str], str]:
    """Return the reasons of all faults."""
    with store.reading() as connection:
        return {(one.dataset, one.subject): one.reason for one in all_faults(connection)}


def enrich(store: Store, settings: Settings) -> list[str]:
    """Make a pass; return the datasets that were reported."""
    failed: list[str] = []
    with working(store, settings, threading.Event(), InlineExecutor()) as worker:
        worker.enrich(on_error=lambda name, _: failed.append(name))
    return failed


def damage_spec(store: Store, dataset: Dataset) -> None:
    """Damage the stored spec."""
    change(store, tables.dataset, tables.dataset.c.id == dataset.id, spec="{")


def damage_teacher(store: Store, dataset: Dataset) -> None:
    """Damage the stored teacher."""
    condition = tables.model.c.dataset_id == dataset.id
    change(store, tables.model, condition, teacher=b"no zip file")


def change(store: Store, table: object, condition: object, **values: object) -> None:
    """Change rows of a table."""
    with store.writing() as connection:
        connection.execute(update(table).where(condition).values(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("enricher", "break_it", "subject", "reason"),
    [
        (LENGTH, damage_spec, "spec", "the stored spec of broken is damaged"),
        (LENGTH, damage_teacher, "prediction", "the teacher's bytes do not match"),
        (
            EnricherSpec(use=f"{BROKEN}.Raises"),
            lambda _store, _dataset: None,
            "enricher own",
            "own: fails on every record; the last: 'merci beaucoup",
        ),
        (
            EnricherSpec(use="datasets.no_such_module.Thing"),
            lambda _store, _dataset: None,
            "plan",
            "datasets.no_such_module.Thing: cannot be imported",
        ),
    ],
)
def test_a_broken_dataset_is_named_and_the_others_get_everything(
    store: Store,
    settings: Settings,
    enricher: EnricherSpec,
    break_it: Callable[[Store, Dataset], None],
    subject: str,
    reason: str,
) -> None:
    """Whatever is broken, and although the broken dataset comes first; no record is charged."""
    broken = add(store, "broken", own=enricher)
    healthy = add(store, "healthy", length=LENGTH)
    for dataset in (broken, healthy) if enricher is LENGTH else (healthy,):
        train_model(store, dataset.name, settings)
    break_it(store, broken)
    enrich(store, settings)
    assert enriched(store, healthy) == {"length": 30, "prediction": 30}
    [(where, found)] = faults(store).items()
    assert where == ("broken", subject)
    assert reason in found
    with store.reading() as connection:
        assert count_quarantined(connection, broken.id) == 0


def test_a_fault_is_cleared_when_the_enricher_works_again(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a new version nothing has to be waited for; all records get their value."""
    broken = add(store, "broken", own=EnricherSpec(use=f"{BROKEN}.Raises"))
    assert enrich(store, settings) == ["broken"]
    assert [*faults(store)] == [("broken", "enricher own")]
    monkeypatch.setattr(broken_enrichers.Raises, "__call__", lambda _, rows: [1] * len(rows))
    monkeypatch.setattr(broken_enrichers.Raises, "version", "2")
    assert enrich(store, settings) == []
    assert enriched(store, broken) == {"own": 30}
    assert faults(store) == {}


def test_the_fault_of_an_enricher_ends_when_the_spec_no_longer_names_it(
    store: Store, settings: Settings
) -> None:
    """What is gone is not stopped."""
    add(store, "broken", own=EnricherSpec(use=f"{BROKEN}.Raises"), length=LENGTH)
    enrich(store, settings)
    register(store, named("broken", length=LENGTH))
    enrich(store, settings)
    assert faults(store) == {}


def test_an_unexpected_error_of_a_chunk_lets_its_dataset_rest_and_the_others_go_on(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It rests for longer after each try; when it works, the fault is cleared."""
    broken, healthy = add(store, "broken", length=LENGTH), add(store, "healthy", length=LENGTH)
    original = work_chunk._read_chunk
    tries = 0

    def read_chunk(connection, chunk):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        nonlocal tries
        if chunk.dataset_id == broken.id and tries < 2:
            tries += 1
            raise KeyError("prediction")
        return original(connection, chunk)

    monkeypatch.setattr(work_chunk, "_read_chunk", read_chunk)
    reported: list[str] = []
    with working(store, settings, threading.Event(), InlineExecutor()) as worker:

        def run_pass() -> None:
            worker.enrich(on_error=lambda name, _: reported.append(name))

        run_pass()
        assert enriched(store, healthy) == {"length": 30}
        assert faults(store) == {
            ("broken", "chunk"): "KeyError, which the log of the worker explains"
        }
        run_pass()
        assert (tries, reported) == (1, ["broken"]), "it rests"
        for expected in (2, 2):
            end_rest(worker)
            run_pass()
            assert tries == expected
    assert enriched(store, broken) == {"length": 30}
    assert faults(store) == {}


def end_rest(worker: Worker) -> None:
    """Let the time pass for which datasets are left alone."""
    rests = worker._confinement._rests
    for dataset_id, rest in rests.items():
        rests[dataset_id] = type(rest)(0.0, rest.tries)


def test_a_store_out_of_reach_is_the_fault_of_no_dataset(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass ends with the error."""
    add(store, "healthy", length=LENGTH)
    lost = OperationalError("SELECT 1", {}, Exception("the server is gone"))

    def read_chunk(*_: object) -> None:
        raise lost

    monkeypatch.setattr(work_chunk, "_read_chunk", read_chunk)
    with pytest.raises(OperationalError):
        enrich(store, settings)
    assert faults(store) == {}


def test_a_value_that_the_store_refuses_costs_its_record_alone(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk is halved until that record is alone, which is quarantined."""
    dataset = add(store, "notes", length=LENGTH)
    original = chunk_queue.finish_chunk

    def finish_chunk(connection, chunk, enrichments, *more):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
        if any(one.record_id == bad for one in enrichments):
            raise DataError("INSERT", {}, Exception("no NUL, please"))
        original(connection, chunk, enrichments, *more)

    rows = {row["inputs"]["sentence"]: row["key"] for row in export_rows(store, dataset)}
    with store.reading() as connection:
        key = bytes.fromhex(rows["merci beaucoup 8"])
        of_key = tables.record.select().where(tables.record.c.key == key)
        bad = connection.execute(of_key).one().id
    monkeypatch.setattr(work_chunk, "finish_chunk", finish_chunk)
    enrich(store, settings)
    assert enriched(store, dataset) == {"length": 29}
    with store.reading() as connection:
        assert count_quarantined(connection, dataset.id) == 1
        assert read_faults(connection) == []


def test_a_dataset_with_a_field_named_prediction_goes_on(store: Store, settings: Settings) -> None:
    """An earlier release has let it in; the model's prediction has a place of its own."""
    fields: dict[str, Field] = {"area": NumberField(), "prediction": NumberField()}
    spec = DatasetSpec(name="flats", kind="regression", target="rent", fields=fields)
    dataset = register(store, spec)
    rows = []
    for number in range(60):
        inputs = spec.read_inputs({"area": number, "prediction": number % 7})
        rows.append(NewRow(spec.key(inputs), inputs, str(3 * number + number % 7)))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    train_model(store, "flats", settings)
    assert enrich(store, settings) == []
    assert enriched(store, dataset) == {"prediction": 60}


def test_training_is_due_when_the_model_fails_on_every_record(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new model may read what the enrichers make now."""
    from enrich.planning.maintenance import training_due  # noqa: PLC0415

    dataset = add(store, "notes", length=LENGTH)
    enrich(store, settings)
    train_model(store, "notes", settings)
    monkeypatch.setattr(sample_enrichers.Length, "version", "2")
    monkeypatch.setattr(sample_enrichers.Length, "__call__", lambda _, rows: ["w"] * len(rows))
    enrich(store, settings)
    with store.reading() as connection:
        reason = training_due(connection, find_dataset(connection, dataset.name), settings)
    assert reason.startswith("its model fails: prediction: fails on every record")
    train_model(store, "notes", settings, force=True)
    with store.reading() as connection:
        dataset = find_dataset(connection, dataset.name)
        assert training_due(connection, dataset, settings) == ""


def add_sentences(store: Store, dataset: Dataset, *sentences: str) -> None:
    """Add records."""
    raw = [{"sentence": sentence} for sentence in sentences]
    rows = [NewRow(dataset.spec.key(one), dataset.spec.read_inputs(one)) for one in raw]
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")


def test_records_that_all_fail_keep_no_other_chunk_from_being_tried(
    store: Store, settings: Settings
) -> None:
    """Those that came first are really at fault: then the enricher only seems to be broken."""
    dataset = register(store, named("words", picky=EnricherSpec(use=f"{SAMPLES}.Picky")))
    add_sentences(store, dataset, *(f"poison {number}" for number in range(12)))
    assert enrich(store, settings) == ["words"]
    add_sentences(store, dataset, "merci", "bonjour")
    for _ in range(60):
        change(store, tables.chunk, tables.chunk.c.owner.is_(None), lease_until=None)
        enrich(store, settings)
        if not faults(store):
            break
    assert enriched(store, dataset)["picky"] == 2
    # Once one record has a value, the failures of the others are known to be theirs.
    change(store, tables.chunk, tables.chunk.c.owner.is_(None), lease_until=None)
    enrich(store, settings)
