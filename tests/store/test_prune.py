"""Tests of `prune`: what it deletes and what it keeps."""

from __future__ import annotations

import itertools
import time

import pytest
from sqlalchemy import func, select, update

from db.admin import prune
from db.admin.clock_check import DAY_SECONDS, is_clock_credible
from db.admin.prune import prune_store
from db.errors import StoreError
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.run_history import recorded_run
from db.queue.workers.worker_registry import register_worker
from db.records.dataset import Dataset
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.store import Store
from enrich.worker import daily_pruning
from enrich.worker.daily_pruning import DailyPruning
from tests.conftest import ask, register
from tests.inline import enrich_now

from .test_enrich import CHAIN, SAMPLES, fill, spec_with


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Return a dataset of 20 imported records and two requested ones, all enriched."""
    found = register(store, CHAIN)
    fill(store, found, 20)
    for sentence in ("vieux", "neuf"):
        inputs = found.spec.read_inputs({"sentence": sentence})
        with store.writing() as connection:
            ask(connection, found.id, [NewRow(found.spec.key(inputs), inputs)])
    enrich_now(store, settings)
    return found


def make_old(store: Store, dataset: Dataset, sentence: str, days: float) -> None:
    """Set the age of a record."""
    key = dataset.spec.key(dataset.spec.read_inputs({"sentence": sentence}))
    with store.writing() as connection:
        connection.execute(
            update(tables.record)
            .where(tables.record.c.key == key)
            .values(made_at=time.time() - days * DAY_SECONDS)
        )


def test_a_request_older_than_retain_days_is_deleted_with_its_values(
    store: Store, notes: Dataset
) -> None:
    """Younger requests and imported records stay."""
    make_old(store, notes, "vieux", 31)
    make_old(store, notes, "neuf", 29)
    make_old(store, notes, "merci beaucoup 0", 400)
    assert prune_store(store)["requests"] == 1
    with store.reading() as connection:
        assert len(connection.execute(select(tables.record.c.id)).all()) == 21
        assert len(connection.execute(select(tables.enrichment.c.record_id)).all()) == 63


def test_a_request_that_was_labelled_later_is_kept(store: Store, notes: Dataset) -> None:
    """Labels are a person's work and must not be lost."""
    make_old(store, notes, "vieux", 31)
    inputs = notes.spec.read_inputs({"sentence": "vieux"})
    with store.writing() as connection:
        labelled = NewRow(notes.spec.key(inputs), inputs, "cold")
        add_rows(connection, notes, [labelled], "import")
    assert prune_store(store)["requests"] == 0


def test_values_of_a_removed_enricher_are_deleted(store: Store, notes: Dataset) -> None:
    """The values of the other enrichers stay."""
    register(store, spec_with(length=EnricherSpec(use=f"{SAMPLES}.Length")))
    assert prune_store(store)["enrichments"] == 44
    with store.reading() as connection:
        left = connection.execute(select(tables.enrichment.c.enricher)).scalars()
        assert set(left) == {"length"}
    assert notes.name == "notes"


def test_the_latest_run_of_each_command_is_kept(store: Store, notes: Dataset) -> None:
    """An import that is due once in two months would otherwise be due after one."""
    for command in ("import", "import", "publish"):
        with recorded_run(store, notes.id, command, store.write(register_worker)) as run:
            run.complete(command)
    with store.writing() as connection:
        long_ago = tables.run.c.started_at - 40 * DAY_SECONDS
        connection.execute(update(tables.run).values(started_at=long_ago))
    with recorded_run(store, notes.id, "train", store.write(register_worker)) as run:
        run.complete("train")
    assert prune_store(store)["runs"] == 1
    with store.reading() as connection:
        left = connection.execute(select(tables.run.c.command)).scalars()
        assert sorted(left) == ["import", "publish", "train"]


def test_pruning_twice_deletes_nothing_more(store: Store, notes: Dataset) -> None:
    """`prune` can run every night."""
    make_old(store, notes, "vieux", 31)
    prune_store(store)
    assert set(prune_store(store).values()) == {0}


def set_clock(monkeypatch: pytest.MonkeyPatch, days_ahead: float) -> None:
    """Set the clock by which data is deleted, of this machine or of the server, ahead."""
    for module in (prune, daily_pruning):
        monkeypatch.setattr(
            module,
            "wall_seconds",
            lambda connection: wall_seconds(connection) + days_ahead * DAY_SECONDS,
        )


def count_requested(store: Store) -> int:
    """Count the records that come from requests."""
    with store.reading() as connection:
        query = select(func.count()).where(tables.record.c.origin == "request")
        return connection.execute(query).scalar_one()


def test_nothing_is_deleted_by_a_clock_far_ahead_of_all_times_in_the_store(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to check, and how to insist where the store was idle for so long."""
    assert notes.name == "notes"
    set_clock(monkeypatch, 31)
    with pytest.raises(StoreError, match=r"31 days after the newest time.*timedatectl.*--force"):
        prune_store(store)
    assert count_requested(store) == 2
    assert prune_store(store, force=True)["requests"] == 2


def test_a_time_in_the_future_does_not_vouch_for_a_clock_that_is_wrong(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was written while the clock was even more wrong."""
    make_old(store, notes, "neuf", -400)
    set_clock(monkeypatch, 31)
    with pytest.raises(StoreError, match="nothing was deleted"):
        prune_store(store)


def test_a_store_in_use_is_pruned_without_question(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker was seen today."""
    assert notes.name == "notes"
    set_clock(monkeypatch, 31)
    store.write(register_worker)
    with store.writing() as connection:
        seen_at = wall_seconds(connection) + 31 * DAY_SECONDS - 3600
        connection.execute(update(tables.worker).values(seen_at=seen_at))
    assert prune_store(store)["requests"] == 2


def began_runs(store: Store) -> list[str]:
    """Return the outcomes of the daily pruning so far."""
    with store.reading() as connection:
        query = select(tables.run.c.outcome).where(tables.run.c.command == "prune")
        return list(connection.execute(query.order_by(tables.run.c.id)).scalars())


def age_runs(store: Store, days: float) -> None:
    """Let that much time pass since all runs."""
    seconds = days * DAY_SECONDS
    with store.writing() as connection:
        columns = tables.run.c
        aged = {name: columns[name] - seconds for name in ("started_at", "ended_at")}
        connection.execute(update(tables.run).values(**aged))


def test_a_worker_prunes_once_a_day(store: Store, notes: Dataset) -> None:
    """It begins a day after the first look, when it has seen that the clock goes right."""
    make_old(store, notes, "vieux", 31)
    worker = store.write(register_worker)

    def look() -> list[str]:
        DailyPruning(store, worker).run_if_due(lambda: True)
        return began_runs(store)

    assert look() == ["postponed"]
    assert look() == ["postponed"]
    assert count_requested(store) == 2
    age_runs(store, 0.6)
    assert look() == ["postponed", "done"]
    assert count_requested(store) == 1
    make_old(store, notes, "neuf", 31)
    assert look() == ["postponed", "done"], "it was done today"
    age_runs(store, 1.0)
    assert look() == ["postponed", "done", "done"]
    assert count_requested(store) == 0


def test_a_worker_does_not_prune_by_a_clock_that_was_just_set_ahead(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for half a day, in which a person or NTP can correct the clock."""
    assert notes.name == "notes"
    worker = store.write(register_worker)
    with recorded_run(store, notes.id, "prune", worker) as run:
        run.complete("done")
    set_clock(monkeypatch, 31)
    DailyPruning(store, worker).run_if_due(lambda: True)
    assert count_requested(store) == 2
    assert began_runs(store) == ["done", "postponed"]


def test_a_worker_stops_pruning_when_its_gate_closes(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on as soon as the gate opens again."""
    monkeypatch.setattr(prune, "BATCH_RECORDS", 1)
    for sentence in ("vieux", "neuf"):
        make_old(store, notes, sentence, 31)
    worker = store.write(register_worker)
    with recorded_run(store, notes.id, "prune", worker) as run:
        run.complete("postponed")
    age_runs(store, 0.6)
    pruning = DailyPruning(store, worker)
    answers = itertools.chain([True], [False] * 9)
    pruning.run_if_due(lambda: next(answers))
    assert count_requested(store) == 1
    pruning.run_if_due(lambda: True)
    assert count_requested(store) == 0
    assert began_runs(store) == ["postponed", "interrupted", "done"]


@pytest.mark.parametrize(
    ("hours_ago", "credible"),
    [((), False), ((0, 1, 11), False), ((12,), True), ((48,), True), ((49, 800), False)],
)
def test_a_clock_is_believed_if_the_store_knows_of_yesterday(
    hours_ago: tuple[float, ...], *, credible: bool
) -> None:
    """A clock that was set wrong has left a gap before today."""
    now = 1e9
    assert is_clock_credible(now, [now - 3600 * hours for hours in hours_ago]) is credible
