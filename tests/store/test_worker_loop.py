"""Tests of what a worker does at each tick."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest

from db.settings import Settings
from db.store.store import Store
from enrich.gate.decision import Gate
from enrich.gate.monitor import GateMonitor
from enrich.gate.suspender import ProcessSuspender
from enrich.planning.due_command import Due, due_subcommands
from enrich.worker import loop
from enrich.worker.loop import RETRY_SECONDS, TICK_SECONDS, WorkerLoop
from enrich.worker.subcommand import Subcommands
from enrich.worker.worker import Worker

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
    assert worker._is_exchange_due()
    assert not worker._is_exchange_due(), "it was asked just now"
    for pause_seconds, times in ((0, 1), (TICK_SECONDS, 1), (RETRY_SECONDS, 2)):
        clock.now += pause_seconds
        worker._run_due(due_subcommands(store, settings))
        assert killed.ran == [("import", "notes")] * times
        clock.now += TICK_SECONDS
        assert not worker._is_exchange_due()
    clock.now += RETRY_SECONDS
    assert worker._is_exchange_due()


def test_training_that_failed_is_repeated_only_for_another_reason(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is: it would take hours each time."""
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    killed = Killed()
    worker = WorkerLoop(store, settings, WORKER, OPEN, killed)
    for reason, times in (("first", 1), ("first", 1), ("second", 2)):
        worker._run_due([Due("train", "notes", reason)])
        assert killed.ran == [("train", "notes")] * times
        clock.now += 2 * RETRY_SECONDS
