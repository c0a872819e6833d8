"""Tests of what the gate monitor logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from db.settings import Settings
from enrich.gate.decision import Limits
from enrich.gate.machine.reading import Reading
from enrich.gate.monitor import GateMonitor
from enrich.gate.sampler import LoadSampler
from enrich.gate.suspender import ProcessSuspender


def monitor_of(readings: Iterator[Reading]) -> GateMonitor:
    """Return a monitor that reads these loads, one after the other."""
    sampler: Any = SimpleNamespace(store_state=None, read=lambda _: next(readings))
    limits = Limits.of(Settings())
    return GateMonitor(cast("LoadSampler", sampler), limits, ProcessSuspender(), 60.0, now=False)


def test_a_worker_logs_why_it_waits_and_again_when_the_reason_is_of_another_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another figure of the same kind is not logged, nor that the load is being measured."""
    caplog.set_level(logging.INFO, "veilleuse.worker")
    readings = [
        Reading(),
        Reading(foreign_cores=0.86),
        Reading(foreign_cores=0.9),
        Reading(foreign_cores=0.0, disk_mib=1.0),
        Reading(foreign_cores=0.0),
        Reading(foreign_cores=0.5),
    ]
    monitor = monitor_of(iter(readings))
    for _ in readings:
        monitor.step()
    assert [line.split(" (")[0] for line in caplog.messages] == [
        "waiting: other programs use 0.86 CPU cores",
        "waiting: 1 MiB of disk space are free",
        "gate closed → opening: the machine must be idle for 15 s before work starts",
        "gate opening → closed: other programs use 0.50 CPU cores",
    ]
