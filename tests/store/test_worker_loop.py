"""Tests of what a worker does at each tick."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from db.records.dataset import Dataset
from db.settings import Settings
from db.store.store import Store
from enrich.gate.decision import Gate
from enrich.gate.monitor import GateMonitor
from enrich.gate.suspender import ProcessSuspender
from enrich.planning import due_command
from enrich.planning.due_command import Due, due_subcommands
from enrich.worker import loop
from enrich.worker.loop import RETRY_SECONDS, TICK_SECONDS, WorkerLoop, retry_seconds
from enrich.worker.stats import WorkerStats
from enrich.worker.subcommand import Subcommands
from enrich.worker.worker import Worker
from tests.conftest import notes_spec, register

from .test_exchange_due import URL, exchanging

OPEN = cast("GateMonitor", SimpleNamespace(gate=Gate("open"), set_in_progress=lambda _: None))
WORKER = cast("Worker", SimpleNamespace(id=1))


class Clock:
    """A clock that stands still by itself."""

    now = 1000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now


class Killed(Subcommands):
    """Subcommands that all end before they could note their start."""

    def __init__(self) -> None:
        super().__init__(ProcessSuspender(), threading.Event(), 1.0)
        self.ran: list[tuple[str, ...]] = []

    def run(self, *arguments: str) -> bool | None:
        """Note the command."""
        self.ran.append(arguments)
        return False


def test_an_import_that_fails_at_its_start_neither_hinders_enrichment_nor_is_given_up(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enrichment goes on meanwhile, and the import is tried again after a time."""
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setenv("SHOP_URL", URL)
    exchanging(store)
    killed = Killed()
    worker = WorkerLoop(store, settings, WORKER, OPEN, killed)
    assert worker._is_pass_interrupted()
    assert not worker._is_pass_interrupted(), "it was asked just now"
    for pause_seconds, times in ((0, 1), (TICK_SECONDS, 1), (RETRY_SECONDS, 2)):
        clock.now += pause_seconds
        worker._run_due(due_subcommands(store, settings))
        assert killed.ran == [("import", "notes")] * times
        clock.now += TICK_SECONDS
        assert not worker._is_pass_interrupted()
    clock.now += RETRY_SECONDS
    assert worker._is_pass_interrupted()


def test_training_that_failed_is_repeated_at_once_only_for_another_reason(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the same reason it waits twice as long each time: it may take hours."""
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    killed = Killed()
    worker = WorkerLoop(store, settings, WORKER, OPEN, killed)
    for reason, pause_seconds, times in (
        ("first", 0.0, 1),
        ("first", RETRY_SECONDS - 1, 1),
        ("second", 0.0, 2),
        ("first", 1.0, 3),
        ("first", 2 * RETRY_SECONDS - 1, 3),
        ("first", 1.0, 4),
    ):
        clock.now += pause_seconds
        worker._run_due([Due("train", "notes", reason)])
        assert killed.ran == [("train", "notes")] * times


def test_a_failed_command_is_tried_again_after_a_day_at_the_latest() -> None:
    """Also after so many failures that the doubled time would be no number."""
    assert [retry_seconds("train", tries) / 3600 for tries in (1, 2, 3, 6, 5000)] == [
        *(1, 2, 4, 24, 24),
    ]
    assert retry_seconds("import", 9) == RETRY_SECONDS


def test_an_error_in_one_part_of_a_tick_does_not_keep_the_others_from_their_work(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the error is; it is the last one that the worker reports."""

    def broken(**_: object) -> int:
        raise KeyError("prediction")

    stats = WorkerStats()
    monkeypatch.setenv("SHOP_URL", URL)
    exchanging(store)
    killed = Killed()
    worker = cast("Worker", SimpleNamespace(id=1, enrich=broken, stats=stats))
    WorkerLoop(store, settings, worker, OPEN, killed).tick()
    assert killed.ran == [("import", "notes")]
    assert stats.read().error == "this pass: KeyError, which the log of the worker explains"


def test_a_dataset_for_which_nothing_can_be_found_due_does_not_hinder_the_others(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported instead."""

    def find_reason(_connection: object, dataset: Dataset, _settings: object) -> str:
        if dataset.name == "broken":
            raise ZeroDivisionError
        return "it is time"

    register(store, notes_spec({}))
    register(store, msgspec.structs.replace(notes_spec({}), name="broken"))
    monkeypatch.setitem(due_command._FIND_REASON, "train", find_reason)
    reported: list[str] = []
    due = due_subcommands(store, settings, lambda what, _: reported.append(what))
    assert due == [Due("train", "notes", "it is time")]
    assert reported == ["broken: finding out what is due"]
