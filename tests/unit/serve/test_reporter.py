"""Tests of the thread that reports telemetry."""

from __future__ import annotations

from typing import Any

import pytest

from serve.telemetry import reporter
from serve.telemetry.counters import RequestCounters
from serve.telemetry.reporter import TelemetryReporter
from tests.processes import wait_for


class BrokenMetrics:
    """Metrics that cannot be published the second time, and can afterwards."""

    calls = 0

    def publish(self) -> None:
        """Count the calls."""
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError


@pytest.fixture
def _quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "REPORT_SECONDS", 0.01)


@pytest.mark.usefixtures("_quick_reports")
def test_an_error_ends_one_report_and_not_the_thread() -> None:
    """Otherwise the metrics would stay as they were, unnoticed."""
    metrics: Any = BrokenMetrics()
    store: Any = None
    thread = TelemetryReporter(store, RequestCounters(), metrics)
    thread.start()
    wait_for(lambda: metrics.calls > 3, seconds=30)
    thread.close()
