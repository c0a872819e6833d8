"""Tests of workers as pages show them."""

from __future__ import annotations

from db.admin.worker_condition import condition_of
from db.queue.workers.gate_history import GateAverages
from db.queue.workers.worker_row import WorkerRow
from serve.pages.home.worker_panel import WorkerPanel, worker_sentence

NOW = 10_000.0
LIMITS = {"open_cores": 0.3, "close_cores": 0.5, "open_memory": 0.2, "close_memory": 0.1}


def panel_of(report: WorkerRow) -> WorkerPanel:
    """Return the panel of a worker with one reading."""
    hour = [(5.0, GateAverages(0.5, foreign_cores=0.1, memory_share=0.6, web_requests=3.0))]
    return WorkerPanel(report, condition_of(report, [], NOW), LIMITS, hour)


def test_both_limits_of_a_reading_are_in_its_chart_and_in_its_words() -> None:
    """The gate opens below the one, and closes above the other."""
    charts = {it.title: it for it in panel_of(WorkerRow(seen_at=NOW)).charts}
    cpu = charts["CPU cores used by other programs"]
    assert (cpu.limits, cpu.latest) == ([0.3, 0.5], "0.1")
    assert cpu.limits_text == "opens below 0.3, closes above 0.5"
    assert cpu.top >= 0.5
    assert charts["Memory free"].limits_text == "opens above 20 %, closes below 10 %"
    assert charts["Web requests per second"].limits == []
    assert "Time in which programs had to wait" not in charts


def test_a_worker_is_described_in_one_sentence() -> None:
    """It never works while it fails or is silent."""
    busy = WorkerRow(id=3, host="desk", seen_at=NOW, since=NOW - 600, state="open")
    failed = WorkerRow(id=3, host="desk", seen_at=NOW, state="open", error="no httpx", error_at=NOW)
    silent = WorkerRow(id=3, host="desk", seen_at=NOW - 240, state="open")
    told = [worker_sentence(panel_of(it), NOW, shows_rows=True) for it in (busy, failed, silent)]
    assert told == [
        "Worker 3 on desk is working, for 10 min",
        "Worker 3 on desk is failing: no httpx",
        "Worker 3 on desk has been silent for 4 min; it may have died",
    ]
    assert "httpx" not in worker_sentence(panel_of(failed), NOW, shows_rows=False)
