"""What web processes, workers and people tell each other through the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from db.queue.pause import pause_workers, paused_at, resume_workers
from db.queue.worker import (
    WorkerReport,
    WorkerRow,
    all_workers,
    rate_of,
    record_heartbeat,
    register_worker,
    remove_worker,
    seconds_left,
)
from db.records.dataset import PlanStep, set_plan
from db.records.record import NewRecord, add_records
from db.store import tables
from db.store.engine import Store
from db.traffic.web_load import SILENT_SECONDS, WebLoad, end_signal, read_load, write_load
from enrich.commands.status import in_time, in_words
from enrich.status import worker_status
from enrich.worker.stats import WorkerStats, WorkerTotals
from tests.conftest import Done, register, sample_spec

QUIET = WebLoad(1.0, 0, 0.01)
BUSY = WebLoad(30.0, 4, 0.2)


def tell(store: Store, process: str, load: WebLoad) -> None:
    """Say what a web process does."""
    with store.writing() as connection:
        write_load(connection, process, load)


def read(store: Store) -> WebLoad | None:
    """Return what all do together."""
    with store.reading() as connection:
        return read_load(connection)


def make_older(store: Store, process: str, seconds: float) -> None:
    """Let what a process has said lie so far in the past, or in the future if that is negative."""
    of_process = tables.web_signal.c.process == process
    with store.writing() as connection:
        told = tables.web_signal.c.told - seconds
        connection.execute(update(tables.web_signal).where(of_process).values(told=told))


def processes(store: Store) -> list[str]:
    """Return whose words are in the store."""
    with store.reading() as connection:
        return sorted(connection.execute(select(tables.web_signal.c.process)).scalars())


def test_without_web_processes_there_is_no_load(store: Store) -> None:
    """Not a load of 0: nobody knows of any."""
    assert read(store) is None


def test_what_a_web_process_tells_is_read(store: Store) -> None:
    """Its last words count."""
    tell(store, "a", QUIET)
    tell(store, "a", BUSY)
    assert read(store) == BUSY
    assert processes(store) == ["a"]


def test_several_web_processes_add_up(store: Store) -> None:
    """But for the time that an answer takes: the slowest one's counts."""
    tell(store, "a", WebLoad(10.0, 1, 0.05))
    tell(store, "b", WebLoad(15.5, 2, 0.4))
    tell(store, "c", WebLoad(0.0, 0, 0.0))
    assert read(store) == WebLoad(25.5, 3, 0.4)


def test_a_web_process_that_is_silent_for_five_seconds_counts_no_more(store: Store) -> None:
    """It has nothing to do, or is gone."""
    tell(store, "a", BUSY)
    tell(store, "b", QUIET)
    make_older(store, "a", SILENT_SECONDS + 0.1)
    assert read(store) == QUIET
    make_older(store, "b", SILENT_SECONDS + 0.1)
    assert read(store) is None
    tell(store, "a", BUSY)
    assert read(store) == BUSY


def test_words_from_the_future_do_not_count(store: Store) -> None:
    """Else a clock put back would close every gate for as long."""
    tell(store, "a", BUSY)
    make_older(store, "a", -60)
    assert read(store) is None


def test_words_from_before_the_last_boot_do_not_count(store: Store) -> None:
    """Their time is of another clock."""
    tell(store, "a", BUSY)
    with store.writing() as connection:
        connection.execute(update(tables.web_signal).values(told_boot="another"))
    assert read(store) is None


def test_a_web_process_that_ends_takes_back_what_it_said(store: Store) -> None:
    """And nobody else's."""
    tell(store, "a", BUSY)
    tell(store, "b", QUIET)
    with store.writing() as connection:
        end_signal(connection, "a")
    assert read(store) == QUIET
    with store.writing() as connection:
        end_signal(connection, "never was")
    assert processes(store) == ["b"]


def test_a_web_process_that_ends_drops_what_those_have_said_who_are_long_gone(
    store: Store,
) -> None:
    """Those who were killed could not do so themselves."""
    for process in ("a", "gone", "before the boot", "lately"):
        tell(store, process, QUIET)
    make_older(store, "gone", 3600)
    make_older(store, "lately", 2 * SILENT_SECONDS)
    with store.writing() as connection:
        of_another = tables.web_signal.c.process == "before the boot"
        connection.execute(update(tables.web_signal).where(of_another).values(told_boot="another"))
        end_signal(connection, "a")
    assert processes(store) == ["lately"]


def test_a_pause_lasts_until_it_is_ended(store: Store) -> None:
    """Paused twice it is paused since the first time; ended twice it is ended."""
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
    reason="others use 1.5 cores, more than 0.5",
    records=1234,
    rate=50.0,
    open_share=0.25,
    error="this pass failed: é",
    error_at=1_700_000_001.0,
)


def enlist(store: Store, report: WorkerReport | None = None) -> int:
    """Add a worker, that says this of itself."""
    with store.writing() as connection:
        worker_id = register_worker(connection)
        if report is not None:
            record_heartbeat(connection, worker_id, report)
    return worker_id


def test_a_worker_that_has_just_come_says_that_it_starts(store: Store) -> None:
    """It has not looked at its machine yet."""
    worker_id = enlist(store)
    with store.reading() as connection:
        (found,) = all_workers(connection)
    assert (found.id, found.state, found.reason) == (worker_id, "starting", "")
    assert found.records == 0
    assert found.error is None


def test_what_a_worker_says_of_itself_is_seen_by_all(store: Store) -> None:
    """Every word of it, until it leaves."""
    first, second = enlist(store, REPORT), enlist(store)
    with store.writing() as connection:
        record_heartbeat(connection, second, WorkerReport("open", 5.0))
        found, other = all_workers(connection)
    said = {name: getattr(found, name, None) for name in WorkerReport.__dataclass_fields__}
    # By the store's clock.
    assert said == {
        name: pytest.approx(value) if isinstance(value, float) else value
        for name, value in vars(REPORT).items()
    }
    assert " " not in found.host
    assert abs(found.seen_at - time.time()) < 60
    assert (other.id, other.state, other.error) == (second, "open", None)
    with store.writing() as connection:
        remove_worker(connection, first)
        assert [one.id for one in all_workers(connection)] == [second]


def test_a_worker_that_was_taken_for_dead_says_nothing_any_more(store: Store) -> None:
    """Its word makes no row of its own."""
    worker_id = enlist(store)
    with store.writing() as connection:
        connection.execute(delete(tables.worker))
        record_heartbeat(connection, worker_id, REPORT)
        assert all_workers(connection) == []


def working(rate: float, open_share: float, seen_at: float = 1000.0) -> WorkerRow:
    """Return a worker with what matters for the time left."""
    return WorkerRow(rate=rate, open_share=open_share, seen_at=seen_at)


def test_the_rate_is_that_of_all_living_workers_closed_times_counted_in() -> None:
    """Who has not been seen for two minutes does nothing."""
    workers = [working(100.0, 0.5), working(30.0, 1.0), working(999.0, 1.0, seen_at=870.0)]
    assert rate_of(workers, 1001.0) == pytest.approx(80.0)
    assert rate_of([], 1001.0) == 0.0


def test_the_time_left_is_what_is_stale_at_that_rate() -> None:
    """0 where nothing is, None where nobody works."""
    workers = [working(100.0, 0.5)]
    assert seconds_left(1000, workers, 1001.0) == pytest.approx(20.0)
    assert seconds_left(0, [], 1001.0) == 0.0
    assert seconds_left(1000, [], 1001.0) is None
    assert seconds_left(1000, [working(100.0, 0.0)], 1001.0) is None
    assert seconds_left(1000, [working(0.0, 1.0)], 1001.0) is None


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
def test_a_time_is_told_in_its_largest_fitting_unit(seconds: float, words: str) -> None:
    """Two of which it has at least."""
    assert in_time(seconds) == words


def test_a_tally_starts_with_the_first_chunks_rate_and_follows_the_later_ones() -> None:
    """Each weighs a fifth."""
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
    """And all records are counted."""
    stats = WorkerStats()
    for records, seconds in chunks:
        stats.count(records, seconds)
    rates = [records / seconds for records, seconds in chunks]
    assert min(rates) * (1 - 1e-9) <= stats.read().rate <= max(rates) * (1 + 1e-9)
    assert stats.read().records == sum(records for records, _ in chunks)


def test_the_last_error_is_kept_in_one_line() -> None:
    """With its time, and it changes no other figure."""
    stats = WorkerStats()
    stats.count(10, 1.0)
    stats.fail("first")
    stats.fail("no\n  such\tmodel")
    figures = stats.read()
    assert (figures.records, figures.rate, figures.error) == (10, 10.0, "no such model")
    assert figures.error_at is not None


@pytest.fixture
def backlog(store: Store) -> Store:
    """Give a store with ten stale records."""
    found = register(store, sample_spec("intents"))
    records = []
    for number in range(10):
        inputs = found.spec.read_inputs({"sentence": f"phrase {number}"})
        records.append(NewRecord(found.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_records(connection, found.id, records, "import")
        set_plan(connection, found, (PlanStep("language", "f1"),))
    return store


def test_the_outlook_tells_the_backlog_the_workers_and_the_time_left(backlog: Store) -> None:
    """While nobody has worked yet, no time."""
    seen = worker_status(backlog)
    (found,) = seen["datasets"]
    assert (found["name"], found["stale"], found["backlog"]) == ("intents", 10, {"language": 10})
    assert (seen["workers"], seen["paused_at"]) == ([], None)
    assert (seen["records_per_second"], seen["seconds_left"]) == (0.0, None)
    enlist(backlog, REPORT)
    seen = worker_status(backlog)
    assert seen["workers"][0].reason == REPORT.reason
    assert seen["records_per_second"] == pytest.approx(12.5)
    assert seen["seconds_left"] == pytest.approx(0.8)


def test_the_outlook_knows_no_worker_that_has_died(store: Store) -> None:
    """It lives on this machine, so anybody can see that."""
    worker_id = enlist(store, REPORT)
    with store.writing() as connection:
        connection.execute(
            update(tables.worker)
            .where(tables.worker.c.id == worker_id)
            .values(process=f"{2**22 + 1} 1")
        )
    assert worker_status(store)["workers"] == []


def test_status_says_of_each_worker_its_state_since_when_and_why(
    backlog: Store, command: Callable[..., Done]
) -> None:
    """In words for people, and as JSON for programs."""
    # Rounded times must not turn over while the test runs.
    since = time.time() - 3.5 * 3600
    report = WorkerReport("suspended", since, REPORT.reason, 1234, 50.0, 0.25, "it bit", since)
    worker_id = enlist(backlog, report)
    done = command("enrich", "status")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("worker"))
    assert lines[place].startswith(f"worker {worker_id} on ")
    assert lines[place].endswith(f": gate suspended for 4 h: {REPORT.reason}")
    assert lines[place + 1] == "  1,234 records, 50/s at work, gate open 25% of the time"
    assert lines[place + 2] == "  last error 4 h ago: it bit"
    assert "10 records are stale: about 1 s at 12 records/s" in lines
    assert "paused" not in done.out
    done = command("enrich", "status", "--json")
    (seen,) = json.loads(done.out)["workers"]
    assert (seen["id"], seen["state"], seen["reason"]) == (worker_id, "suspended", REPORT.reason)
    assert seen["since"] == pytest.approx(since)
    assert (seen["records"], seen["rate"], seen["open_share"]) == (1234, 50.0, 0.25)
    assert (seen["error"], seen["error_at"]) == ("it bit", pytest.approx(since))


def test_a_paused_store_says_so_until_it_is_resumed(
    backlog: Store, command: Callable[..., Done]
) -> None:
    """Even where no worker runs that could."""
    words = "workers are paused; go on with: python -m enrich resume"
    assert words not in command("enrich", "status").out
    done = command("enrich", "pause")
    assert done.out == "every worker waits; go on with: python -m enrich resume\n"
    lines = command("enrich", "status").out.splitlines()
    assert words in lines
    assert "no worker runs; start one: python -m enrich run" in lines
    paused = json.loads(command("enrich", "status", "--json").out)["paused_at"]
    assert abs(paused - time.time()) < 300
    assert json.loads(command("enrich", "pause", "--json").out) == {"paused": True}
    with backlog.reading() as connection:
        assert paused_at(connection) == pytest.approx(paused)
    assert json.loads(command("enrich", "resume", "--json").out) == {"paused": False}
    assert command("enrich", "resume").out == "every worker may go on when its gate opens\n"
    assert json.loads(command("enrich", "status", "--json").out)["paused_at"] is None


def test_words_of_a_worker_without_reason_or_error_are_short(backlog: Store) -> None:
    """Nothing is said of what is not there."""
    worker_id = enlist(backlog, WorkerReport("open", time.time(), open_share=1.0))
    lines = [line for line in in_words(worker_status(backlog)) if "worker" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"worker {worker_id} on ")
    assert "gate open for" in lines[0]
    assert not lines[0].endswith(":")
