"""Tests of the metrics that web processes share, and of the supervisor's pause before a start."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.server.supervisor import FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS, pause_seconds
from serve.telemetry.counters import Counts, Durations, total
from serve.telemetry.multiprocess import (
    GONE,
    MultiprocessMetrics,
    ProcessMetrics,
    mark_process_dead,
)
from serve.telemetry.prometheus import Metrics

REQUEST = ("/livez", "GET", "200")
OTHERS = (2**22 + 1, 2**22 + 2)


def metrics_of(count: int) -> ProcessMetrics:
    """Return the metrics of a process that has answered this number of requests."""
    durations = Durations()
    for _ in range(count):
        durations.observe(0.25)
    return ProcessMetrics(
        counts=Counts({REQUEST: count}, {"/livez": durations}, {("intents", "memory"): count}, 1),
        amounts={"cache_answers": float(count)},
    )


def write_metrics(folder: Path, pid: int, count: int) -> None:
    """Write the metrics of another process to the folder."""
    (folder / str(pid)).write_bytes(msgspec.msgpack.encode(metrics_of(count)))


def shared_metrics(folder: Path | None, count: int = 1) -> MultiprocessMetrics:
    """Return the shared metrics as seen by this process, with this number of requests."""
    return MultiprocessMetrics(folder, lambda: metrics_of(count))


def total_counts(metrics: MultiprocessMetrics) -> Counts:
    """Return the added counts of all processes."""
    return total(process.counts for process in metrics.read_all())


def test_a_process_without_a_folder_has_only_its_own_metrics() -> None:
    """It writes no file."""
    alone = shared_metrics(None)
    alone.publish()
    assert alone.read_all() == [metrics_of(1)]
    assert alone.pids() == [os.getpid()]


def test_a_process_reads_the_metrics_of_the_others(tmp_path: Path) -> None:
    """Its own metrics are current and not read from a file."""
    for pid, count in zip(OTHERS, (10, 100), strict=True):
        write_metrics(tmp_path, pid, count)
    own = shared_metrics(tmp_path)
    assert total_counts(own).requests == {REQUEST: 111}
    assert own.pids() == sorted([os.getpid(), *OTHERS])


def test_a_process_does_not_read_its_own_file(tmp_path: Path) -> None:
    """Its metrics would count twice."""
    own = shared_metrics(tmp_path)
    own.publish()
    assert own.read_all() == [metrics_of(1)]
    assert own.pids() == [os.getpid()]


def test_unchanged_metrics_are_not_written_again(tmp_path: Path) -> None:
    """A process without requests does not use the disk."""
    numbers = [1, 1, 2]
    own = MultiprocessMetrics(tmp_path, lambda: metrics_of(numbers.pop(0)))
    file = tmp_path / str(os.getpid())
    own.publish()
    first = file.stat().st_ino
    own.publish()
    assert file.stat().st_ino == first
    own.publish()
    assert file.stat().st_ino != first


def test_the_counts_of_an_ended_process_are_kept_once(tmp_path: Path) -> None:
    """It may be marked as dead several times."""
    write_metrics(tmp_path, OTHERS[0], 10)
    own = shared_metrics(tmp_path)
    before = total_counts(own)
    for _ in range(2):
        mark_process_dead(tmp_path, OTHERS[0])
        assert total_counts(own) == before
    assert own.pids() == [os.getpid()]


def test_the_amounts_of_an_ended_process_are_dropped(tmp_path: Path) -> None:
    """Its memory is free; only its counts are kept."""
    write_metrics(tmp_path, OTHERS[0], 10)
    mark_process_dead(tmp_path, OTHERS[0])
    amounts = [process.amounts for process in shared_metrics(tmp_path).read_all()]
    assert sorted(amounts, key=len) == [{}, {"cache_answers": 1.0}]


def test_a_process_with_the_pid_of_an_ended_one_is_counted_in_addition(tmp_path: Path) -> None:
    """The system reuses pids."""
    for _ in range(2):
        write_metrics(tmp_path, OTHERS[0], 10)
        mark_process_dead(tmp_path, OTHERS[0])
    write_metrics(tmp_path, OTHERS[0], 10)
    assert total_counts(shared_metrics(tmp_path)).requests == {REQUEST: 31}


@given(st.lists(st.integers(0, 20), max_size=5))
def test_the_total_counts_stay_the_same_when_processes_end(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    """A count that falls looks like a restart."""
    folder = tmp_path_factory.mktemp("metrics")
    for number, count in enumerate(numbers):
        write_metrics(folder, OTHERS[0] + number, count)
    own = shared_metrics(folder)
    before = total_counts(own)
    for number in range(len(numbers)):
        mark_process_dead(folder, OTHERS[0] + number)
        assert total_counts(own) == before


def test_a_process_that_ended_without_a_file_changes_nothing(tmp_path: Path) -> None:
    """It may have died before it wrote its metrics."""
    mark_process_dead(tmp_path, OTHERS[0])
    assert not (tmp_path / GONE).exists()
    assert shared_metrics(tmp_path).read_all() == [metrics_of(1)]


def test_a_file_that_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    """The metrics of the other processes are still reported."""
    write_metrics(tmp_path, OTHERS[0], 10)
    (tmp_path / str(OTHERS[1])).write_bytes(b"\xc1")
    assert total_counts(shared_metrics(tmp_path)).requests == {REQUEST: 11}


def test_metrics_that_cannot_be_written_raise_no_error(tmp_path: Path) -> None:
    """A full disk must not cost an answer."""
    # A folder with the name of the new file makes writing it impossible.
    (tmp_path / f"{os.getpid()}.new").mkdir()
    own = shared_metrics(tmp_path)
    own.publish()
    assert own.read_all() == [metrics_of(1)]
    assert not (tmp_path / str(os.getpid())).exists()


def test_the_counts_of_an_ended_process_are_not_lost_on_a_full_disk(tmp_path: Path) -> None:
    """They stay in its file until they can be added up."""
    write_metrics(tmp_path, OTHERS[0], 10)
    # A folder with the name of the new file makes writing it impossible.
    (tmp_path / f"{GONE}.new").mkdir()
    mark_process_dead(tmp_path, OTHERS[0])
    assert total_counts(shared_metrics(tmp_path)).requests == {REQUEST: 11}


def test_a_deleted_folder_is_not_an_error(tmp_path: Path) -> None:
    """Metrics are lost, but the web processes continue."""
    folder = tmp_path / "cleaned"
    mark_process_dead(folder, OTHERS[0])
    assert shared_metrics(folder).read_all() == [metrics_of(1)]


def test_a_count_does_not_fall_when_another_process_is_scraped_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes share what they have reported: a count that falls looks like a restart."""
    scraped = []
    for pid, count in zip(OTHERS, (10, 0), strict=True):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        text = Metrics(shared_metrics(tmp_path, count)).render().decode()
        scraped.append(re.findall(r"^veilleuse_requests_total{.*} (.*)$", text, re.MULTILINE))
    assert scraped == [["10.0"], ["10.0"]]


def test_a_process_is_restarted_soon_after_its_first_death() -> None:
    """A process killed for its memory after hours must be replaced."""
    assert pause_seconds(0) == 0
    assert pause_seconds(1) == FIRST_PAUSE_SECONDS


def test_each_further_quick_death_doubles_the_pause() -> None:
    """The pause grows up to a limit."""
    pauses = [pause_seconds(failures) for failures in range(1, 20)]
    for pause, following in pairwise(pauses):
        assert following == min(2 * pause, MOST_PAUSE_SECONDS)
    assert pauses[-1] == MOST_PAUSE_SECONDS


def test_a_start_that_fails_for_weeks_is_tried_again() -> None:
    """The calculation of the pause must not overflow."""
    assert pause_seconds(1_000) == MOST_PAUSE_SECONDS
    # A death every 30 seconds for ten years.
    assert pause_seconds(10_000_000) == MOST_PAUSE_SECONDS
