"""Tests of what web processes, workers and users report to each other through the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from db.cli.terminal.duration import format_duration
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.workers.pause import pause_workers, paused_at, resume_workers
from db.queue.workers.worker_registry import (
    WorkerReport,
    record_heartbeat,
    register_worker,
    remove_worker,
)
from db.queue.workers.worker_row import WorkerRow, all_workers, records_per_second, seconds_left
from db.records.dataset import PlanStep, set_plan
from db.store import tables
from db.store.store import Store
from db.traffic.web_load import SILENT_SECONDS, WebLoad, delete_load, read_load, write_load
from enrich.commands.status import format_status
from enrich.worker.stats import WorkerStats, WorkerTotals
from enrich.worker_status import worker_status
from tests.conftest import Done, register, sample_spec

QUIET = WebLoad(1.0, 0, 0.01)
BUSY = WebLoad(30.0, 4, 0.2)


def report_load(store: Store, process: str, load: WebLoad) -> None:
    """Write the load of a web process."""
    with store.writing() as connection:
        write_load(connection, process, load)


def total_load(store: Store) -> WebLoad | None:
    """Return the load of all web processes together."""
    with store.reading() as connection:
        return read_load(connection)


def age_report(store: Store, process: str, seconds: float) -> None:
    """Move a process's report into the past, or into the future if `seconds` is negative."""
    of_process = tables.web_signal.c.process == process
    with store.writing() as connection:
        reported_at = tables.web_signal.c.told - seconds
        connection.execute(update(tables.web_signal).where(of_process).values(told=reported_at))


def processes(store: Store) -> list[str]:
    """Return the web processes whose reports are in the store."""
    with store.reading() as connection:
        return sorted(connection.execute(select(tables.web_signal.c.process)).scalars())


def test_without_web_processes_there_is_no_load(store: Store) -> None:
    """The load is unknown, which is not a load of 0."""
    assert total_load(store) is None


def test_the_last_report_of_a_web_process_is_read(store: Store) -> None:
    """A new report replaces the last one."""
    report_load(store, "a", QUIET)
    report_load(store, "a", BUSY)
    assert total_load(store) == BUSY
    assert processes(store) == ["a"]


def test_the_loads_of_several_web_processes_add_up(store: Store) -> None:
    """The loads are added, but the time of an answer is that of the slowest process."""
    report_load(store, "a", WebLoad(10.0, 1, 0.05))
    report_load(store, "b", WebLoad(15.5, 2, 0.4))
    report_load(store, "c", WebLoad(0.0, 0, 0.0))
    assert total_load(store) == WebLoad(25.5, 3, 0.4)


def test_a_web_process_that_is_silent_for_five_seconds_does_not_count(store: Store) -> None:
    """It has nothing to do, or has ended."""
    report_load(store, "a", BUSY)
    report_load(store, "b", QUIET)
    age_report(store, "a", SILENT_SECONDS + 0.1)
    assert total_load(store) == QUIET
    age_report(store, "b", SILENT_SECONDS + 0.1)
    assert total_load(store) is None
    report_load(store, "a", BUSY)
    assert total_load(store) == BUSY


def test_reports_from_the_future_do_not_count(store: Store) -> None:
    """Otherwise a clock that is set back would close every gate for that time."""
    report_load(store, "a", BUSY)
    age_report(store, "a", -60)
    assert total_load(store) is None


def test_reports_from_before_the_last_boot_do_not_count(store: Store) -> None:
    """Their time was measured by another clock."""
    report_load(store, "a", BUSY)
    with store.writing() as connection:
        connection.execute(update(tables.web_signal).values(told_boot="another"))
    assert total_load(store) is None


def test_a_web_process_that_ends_deletes_its_report(store: Store) -> None:
    """The reports of other processes stay."""
    report_load(store, "a", BUSY)
    report_load(store, "b", QUIET)
    with store.writing() as connection:
        delete_load(connection, "a")
    assert total_load(store) == QUIET
    with store.writing() as connection:
        delete_load(connection, "never was")
    assert processes(store) == ["b"]


def test_a_web_process_that_ends_deletes_the_reports_of_processes_long_gone(
    store: Store,
) -> None:
    """A process that was killed could not delete its own report."""
    for process in ("a", "gone", "before the boot", "lately"):
        report_load(store, process, QUIET)
    age_report(store, "gone", 3600)
    age_report(store, "lately", 2 * SILENT_SECONDS)
    with store.writing() as connection:
        of_another = tables.web_signal.c.process == "before the boot"
        connection.execute(update(tables.web_signal).where(of_another).values(told_boot="another"))
        delete_load(connection, "a")
    assert processes(store) == ["lately"]


def test_a_pause_lasts_until_it_is_ended(store: Store) -> None:
    """A second pause keeps the time of the first, and a second resume changes nothing."""
    before = time.time()
    with store.writing() as connection:
        assert paused_at(connection) is None
        pause_workers(connection)
        since = paused_at(connection)
        pause_workers(connection)
        assert paused_at(connection) == since
    assert since is not None
    assert before <= since <= time.time()
    with store.writing() as connection:
        resume_workers(connection)
        resume_workers(connection)
        assert paused_at(connection) is None


REPORT = WorkerReport(
    state="suspended",
    since=1_700_000_000.0,
    reason="other programs use 1.50 CPU cores (starts below 0.3)",
    records=1234,
    rate=50.0,
    open_share=0.25,
    error="this pass failed: é",
    error_at=1_700_000_001.0,
)


def add_worker(store: Store, report: WorkerReport | None = None) -> int:
    """Register a worker, and write its heartbeat if there is a report."""
    with store.writing() as connection:
        worker_id = register_worker(connection)
        if report is not None:
            record_heartbeat(connection, worker_id, report)
    return worker_id


def test_a_new_worker_is_listed_as_starting(store: Store) -> None:
    """It has not measured its machine yet."""
    worker_id = add_worker(store)
    with store.reading() as connection:
        (found,) = all_workers(connection)
    assert (found.id, found.state, found.reason) == (worker_id, "starting", "")
    assert found.records == 0
    assert found.error is None


def test_the_report_of_a_worker_is_listed_until_it_is_removed(store: Store) -> None:
    """All fields of its last heartbeat are stored."""
    first, second = add_worker(store, REPORT), add_worker(store)
    with store.writing() as connection:
        record_heartbeat(connection, second, WorkerReport("open", 5.0))
        found, other = all_workers(connection)
    listed = {name: getattr(found, name, None) for name in WorkerReport.__dataclass_fields__}
    # The times are by the store's clock, so they are equal only approximately.
    assert listed == {
        name: pytest.approx(value) if isinstance(value, float) else value
        for name, value in vars(REPORT).items()
    }
    assert " " not in found.host
    assert abs(found.seen_at - time.time()) < 60
    assert (other.id, other.state, other.error) == (second, "open", None)
    with store.writing() as connection:
        remove_worker(connection, first)
        assert [worker.id for worker in all_workers(connection)] == [second]


def test_a_worker_that_was_declared_dead_is_not_listed_again(store: Store) -> None:
    """Its heartbeat does not create a row."""
    worker_id = add_worker(store)
    with store.writing() as connection:
        connection.execute(delete(tables.worker))
        record_heartbeat(connection, worker_id, REPORT)
        assert all_workers(connection) == []


def worker_row(rate: float, open_share: float, seen_at: float = 1000.0) -> WorkerRow:
    """Return a worker with the values that the time left depends on."""
    return WorkerRow(rate=rate, open_share=open_share, seen_at=seen_at)


def test_the_rate_adds_up_living_workers_weighted_by_the_open_share_of_their_gates() -> None:
    """A worker without a heartbeat for two minutes does not count."""
    workers = [worker_row(100.0, 0.5), worker_row(30.0, 1.0), worker_row(999.0, 1.0, seen_at=870.0)]
    assert records_per_second(workers, 1001.0) == pytest.approx(80.0)
    assert records_per_second([], 1001.0) == 0.0


def test_the_time_left_is_the_number_of_stale_records_divided_by_the_rate() -> None:
    """It is 0 if nothing is stale, and None if no worker works."""
    workers = [worker_row(100.0, 0.5)]
    assert seconds_left(1000, workers, 1001.0) == pytest.approx(20.0)
    assert seconds_left(0, [], 1001.0) == 0.0
    assert seconds_left(1000, [], 1001.0) is None
    assert seconds_left(1000, [worker_row(100.0, 0.0)], 1001.0) is None
    assert seconds_left(1000, [worker_row(0.0, 1.0)], 1001.0) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 d"),
        (1e9, "11,574 d"),
    ],
)
def test_a_duration_is_written_in_its_largest_fitting_unit(seconds: float, words: str) -> None:
    """A unit fits if the duration is at least two of it."""
    assert format_duration(seconds) == words


def test_a_workers_rate_starts_with_the_first_chunk_and_follows_the_later_ones() -> None:
    """Each later chunk has a weight of one fifth."""
    stats = WorkerStats()
    assert stats.read() == WorkerTotals()
    stats.count(100, 2.0)
    assert stats.read() == WorkerTotals(100, 50.0)
    stats.count(100, 1.0)
    assert stats.read().records == 200
    assert stats.read().rate == pytest.approx(60.0)


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.001, 100)), min_size=1, max_size=30))
def test_a_rate_lies_between_the_slowest_and_the_quickest_chunks(
    chunks: list[tuple[int, float]],
) -> None:
    """All records are counted."""
    stats = WorkerStats()
    for records, seconds in chunks:
        stats.count(records, seconds)
    rates = [records / seconds for records, seconds in chunks]
    assert min(rates) * (1 - 1e-9) <= stats.read().rate <= max(rates) * (1 + 1e-9)
    assert stats.read().records == sum(records for records, _ in chunks)


def test_the_last_error_is_kept_in_one_line() -> None:
    """It is kept with its time and changes no other figure."""
    stats = WorkerStats()
    stats.count(10, 1.0)
    stats.fail("first")
    stats.fail("no\n  such\tmodel")
    figures = stats.read()
    assert (figures.records, figures.rate, figures.error) == (10, 10.0, "no such model")
    assert figures.error_at is not None


@pytest.fixture
def backlog(store: Store) -> Store:
    """Return a store with ten stale records."""
    found = register(store, sample_spec("intents"))
    records = []
    for number in range(10):
        inputs = found.spec.read_inputs({"sentence": f"phrase {number}"})
        records.append(NewRow(found.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, found, records, "import")
        set_plan(connection, found, (PlanStep("language", "f1"),))
    return store


def test_the_status_shows_the_backlog_the_workers_and_the_time_left(backlog: Store) -> None:
    """The time left is unknown until a worker has reported its rate."""
    seen = worker_status(backlog)
    (found,) = seen["datasets"]
    assert (found["name"], found["stale"], found["backlog"]) == ("intents", 10, {"language": 10})
    assert (seen["workers"], seen["paused_at"]) == ([], None)
    assert (seen["records_per_second"], seen["seconds_left"]) == (0.0, None)
    add_worker(backlog, REPORT)
    seen = worker_status(backlog)
    assert seen["workers"][0].reason == REPORT.reason
    assert seen["records_per_second"] == pytest.approx(12.5)
    assert seen["seconds_left"] == pytest.approx(0.8)


def test_the_status_does_not_list_a_worker_that_has_died(store: Store) -> None:
    """It ran on this machine, so every process here can check whether it is alive."""
    worker_id = add_worker(store, REPORT)
    with store.writing() as connection:
        connection.execute(
            update(tables.worker)
            .where(tables.worker.c.id == worker_id)
            .values(process=f"{2**22 + 1} 1")
        )
    assert worker_status(store)["workers"] == []


def test_the_status_shows_the_state_of_each_worker_with_its_time_and_reason(
    backlog: Store, command: Callable[..., Done]
) -> None:
    """People get text, and programs get JSON."""
    # The rounded times must not change while the test runs.
    since = time.time() - 3.5 * 3600
    report = WorkerReport("suspended", since, REPORT.reason, 1234, 50.0, 0.25, "it bit", since)
    worker_id = add_worker(backlog, report)
    done = command("enrich", "status")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("worker"))
    assert lines[place].startswith(f"worker {worker_id} on ")
    assert lines[place].endswith(f": waiting for 4 h (gate suspended): {REPORT.reason}")
    assert lines[place + 1] == "  1,234 records done, 50/s while working, gate open 25% of the time"
    assert lines[place + 2] == "  last error 4 h ago: it bit"
    assert "10 records are stale: about 1 s left at 12 records/s" in lines
    assert "paused" not in done.out
    done = command("enrich", "status", "--json")
    (seen,) = json.loads(done.out)["workers"]
    assert (seen["id"], seen["state"], seen["reason"]) == (worker_id, "suspended", REPORT.reason)
    assert seen["since"] == pytest.approx(since)
    assert (seen["records"], seen["rate"], seen["open_share"]) == (1234, 50.0, 0.25)
    assert (seen["error"], seen["error_at"]) == ("it bit", pytest.approx(since))


def test_the_status_shows_the_pause_until_workers_are_resumed(
    backlog: Store, command: Callable[..., Done]
) -> None:
    """The status says so even if no worker is running."""
    words = "workers are paused; to resume: python -m enrich resume"
    assert words not in command("enrich", "status").out
    done = command("enrich", "pause")
    assert done.out == "workers are paused; to resume: python -m enrich resume\n"
    lines = command("enrich", "status").out.splitlines()
    assert words in lines
    assert "no worker runs; start one: python -m enrich run" in lines
    paused = json.loads(command("enrich", "status", "--json").out)["paused_at"]
    assert abs(paused - time.time()) < 300
    assert json.loads(command("enrich", "pause", "--json").out) == {"paused": True}
    with backlog.reading() as connection:
        assert paused_at(connection) == pytest.approx(paused)
    assert json.loads(command("enrich", "resume", "--json").out) == {"paused": False}
    assert (
        command("enrich", "resume").out == "workers are resumed; each works when its gate opens\n"
    )
    assert json.loads(command("enrich", "status", "--json").out)["paused_at"] is None


def test_the_status_of_a_worker_without_reason_or_error_is_one_line(backlog: Store) -> None:
    """Missing values are left out."""
    worker_id = add_worker(backlog, WorkerReport("open", time.time(), open_share=1.0))
    lines = [line for line in format_status(worker_status(backlog)) if "worker" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"worker {worker_id} on ")
    assert "gate open for" in lines[0]
    assert not lines[0].endswith(":")
