"""What web processes leave for one another, and how long the crew waits before a start."""

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


def figures(count: int) -> ProcessMetrics:
    """Return the figures of a process that has answered so many requests."""
    durations = Durations()
    for _ in range(count):
        durations.observe(0.25)
    return ProcessMetrics(
        counts=Counts({REQUEST: count}, {"/livez": durations}, {("intents", "memory"): count}, 1),
        amounts={"cache_answers": float(count)},
    )


def leave(folder: Path, pid: int, count: int) -> None:
    """Put another process's figures on the board."""
    (folder / str(pid)).write_bytes(msgspec.msgpack.encode(figures(count)))


def process_metrics(folder: Path | None, count: int = 1) -> MultiprocessMetrics:
    """Return the board as this process, with so many requests, uses it."""
    return MultiprocessMetrics(folder, lambda: figures(count))


def counts(seen: MultiprocessMetrics) -> Counts:
    """Return the counts of all processes."""
    return total(one.counts for one in seen.read_all())


def test_a_process_without_a_folder_is_alone() -> None:
    """It tells its own figures and writes nothing."""
    alone = process_metrics(None)
    alone.publish()
    assert alone.read_all() == [figures(1)]
    assert alone.pids() == [os.getpid()]


def test_a_process_reads_what_others_have_left(tmp_path: Path) -> None:
    """And of itself what is true now."""
    for pid, count in zip(OTHERS, (10, 100), strict=True):
        leave(tmp_path, pid, count)
    mine = process_metrics(tmp_path)
    assert counts(mine).requests == {REQUEST: 111}
    assert mine.pids() == sorted([os.getpid(), *OTHERS])


def test_what_a_process_leaves_itself_is_not_read_by_it_again(tmp_path: Path) -> None:
    """It would count twice."""
    mine = process_metrics(tmp_path)
    mine.publish()
    assert mine.read_all() == [figures(1)]
    assert mine.pids() == [os.getpid()]


def test_figures_that_have_not_changed_are_not_written_again(tmp_path: Path) -> None:
    """A process without requests costs the disk nothing."""
    numbers = [1, 1, 2]
    mine = MultiprocessMetrics(tmp_path, lambda: figures(numbers.pop(0)))
    file = tmp_path / str(os.getpid())
    mine.publish()
    first = file.stat().st_ino
    mine.publish()
    assert file.stat().st_ino == first
    mine.publish()
    assert file.stat().st_ino != first


def test_the_counts_of_a_process_that_is_gone_are_kept_once(tmp_path: Path) -> None:
    """However often it is buried."""
    leave(tmp_path, OTHERS[0], 10)
    mine = process_metrics(tmp_path)
    whole = counts(mine)
    for _ in range(2):
        mark_process_dead(tmp_path, OTHERS[0])
        assert counts(mine) == whole
    assert mine.pids() == [os.getpid()]


def test_what_a_process_held_goes_with_it(tmp_path: Path) -> None:
    """Its memory is free; only what it counted stays."""
    leave(tmp_path, OTHERS[0], 10)
    mark_process_dead(tmp_path, OTHERS[0])
    amounts = [one.amounts for one in process_metrics(tmp_path).read_all()]
    assert sorted(amounts, key=len) == [{}, {"cache_answers": 1.0}]


def test_a_process_with_the_id_of_one_that_is_gone_is_counted_besides_it(tmp_path: Path) -> None:
    """The system uses ids again."""
    for _ in range(2):
        leave(tmp_path, OTHERS[0], 10)
        mark_process_dead(tmp_path, OTHERS[0])
    leave(tmp_path, OTHERS[0], 10)
    assert counts(process_metrics(tmp_path)).requests == {REQUEST: 31}


@given(st.lists(st.integers(0, 20), max_size=5))
def test_counts_stay_the_same_whoever_is_buried(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    """A count that fell would look like a restart."""
    folder = tmp_path_factory.mktemp("board")
    for number, count in enumerate(numbers):
        leave(folder, OTHERS[0] + number, count)
    mine = process_metrics(folder)
    whole = counts(mine)
    for number in range(len(numbers)):
        mark_process_dead(folder, OTHERS[0] + number)
        assert counts(mine) == whole


def test_a_process_that_left_nothing_is_buried_without_a_trace(tmp_path: Path) -> None:
    """It may have died before it could say anything."""
    mark_process_dead(tmp_path, OTHERS[0])
    assert not (tmp_path / GONE).exists()
    assert process_metrics(tmp_path).read_all() == [figures(1)]


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """The others' figures are still told."""
    leave(tmp_path, OTHERS[0], 10)
    (tmp_path / str(OTHERS[1])).write_bytes(b"\xc1")
    assert counts(process_metrics(tmp_path)).requests == {REQUEST: 11}


def test_figures_for_which_there_is_no_room_are_no_error(tmp_path: Path) -> None:
    """A full disk must not cost an answer."""
    # Where the new file would be written, nothing can be.
    (tmp_path / f"{os.getpid()}.new").mkdir()
    mine = process_metrics(tmp_path)
    mine.publish()
    assert mine.read_all() == [figures(1)]
    assert not (tmp_path / str(os.getpid())).exists()


def test_counts_of_one_that_is_gone_are_not_lost_for_want_of_room(tmp_path: Path) -> None:
    """They stay where they are until they can be added up."""
    leave(tmp_path, OTHERS[0], 10)
    # Where the new file would be written, nothing can be.
    (tmp_path / f"{GONE}.new").mkdir()
    mark_process_dead(tmp_path, OTHERS[0])
    assert counts(process_metrics(tmp_path)).requests == {REQUEST: 11}


def test_a_folder_that_was_cleaned_away_is_no_error(tmp_path: Path) -> None:
    """Figures are lost; the crew goes on."""
    folder = tmp_path / "cleaned"
    mark_process_dead(folder, OTHERS[0])
    assert process_metrics(folder).read_all() == [figures(1)]


def test_a_count_does_not_fall_when_another_process_is_scraped_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one process has shown, others know of: a count that falls looks like a restart."""
    seen = []
    for pid, count in zip(OTHERS, (10, 0), strict=True):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        text = Metrics(process_metrics(tmp_path, count)).render().decode()
        seen.append(re.findall(r"^veilleuse_requests_total{.*} (.*)$", text, re.MULTILINE))
    assert seen == [["10.0"], ["10.0"]]


def test_the_first_death_is_followed_by_a_start_at_once() -> None:
    """A process killed for its memory after hours must not be missed."""
    assert pause_seconds(0) == 0
    assert pause_seconds(1) == FIRST_PAUSE_SECONDS


def test_each_quick_death_doubles_the_pause() -> None:
    """Until it is as long as it may be."""
    pauses = [pause_seconds(failures) for failures in range(1, 20)]
    for pause, following in pairwise(pauses):
        assert following == min(2 * pause, MOST_PAUSE_SECONDS)
    assert pauses[-1] == MOST_PAUSE_SECONDS


def test_a_start_that_fails_for_weeks_is_still_tried() -> None:
    """The pause must not grow out of what numbers can hold."""
    assert pause_seconds(1_000) == MOST_PAUSE_SECONDS
    # A death every 30 seconds for ten years.
    assert pause_seconds(10_000_000) == MOST_PAUSE_SECONDS
