"""The gate's decision: its states, the order of them, and the reasons it gives."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.settings import Settings
from db.traffic.web_load import WebLoad
from enrich.gate.decision import Gate, Limits, State, advance, find_cause
from enrich.gate.machine.reading import Reading

LIMITS = Limits.of(Settings())
# Every figure is known, and none is near a limit.
IDLE = Reading(
    foreign_cores=0.0,
    memory_share=0.9,
    disk_mib=10_000.0,
    stalled_share=0.0,
    gpu_share=0.0,
    web=WebLoad(),
)
# Between the opening and the closing limits.
BETWEEN = dataclasses.replace(IDLE, foreign_cores=0.4, memory_share=0.2)
BUSY = dataclasses.replace(IDLE, foreign_cores=2.0)
UNKNOWN = Reading()


def idle_with(**changes: Any) -> Reading:  # noqa: ANN401
    """Return the reading of an idle machine with these changes."""
    return dataclasses.replace(IDLE, **changes)


def follow(gate: Gate, *steps: tuple[float, Reading], in_progress: bool = False) -> Gate:
    """Return the gate after readings at these times."""
    for now, reading in steps:
        gate = advance(gate, reading, now, LIMITS, in_progress=in_progress)
    return gate


def open_gate(at: float = 100.0) -> Gate:
    """Return a gate that has been open since `at` and has never closed."""
    return Gate("open", at, "", "")


def test_limits_are_the_settings_under_their_own_names() -> None:
    """Each limit is declared once, in the settings."""
    settings = Settings(gate_open_cores=0.1, gate_gpu=0.7)
    limits = Limits.of(settings)
    for name in Limits.__dataclass_fields__:
        assert getattr(limits, name) == getattr(settings, f"gate_{name}"), name


def test_a_gate_begins_closed_and_says_why() -> None:
    """No work starts before the first reading."""
    gate = Gate()
    assert (gate.state, gate.is_open) == ("closed", False)
    assert gate.reason == "the worker has just started"


def test_an_idle_machine_is_opening_first() -> None:
    """The reason says how long the machine must be idle."""
    gate = follow(Gate(), (10, IDLE))
    assert (gate.state, gate.since, gate.cause) == ("opening", 10, "")
    assert gate.reason == "the machine must be idle for 15 s before work starts"


def test_the_gate_opens_after_fifteen_idle_seconds_and_not_sooner() -> None:
    """The seconds count from the first idle reading, not from the start of the worker."""
    gate = follow(Gate(), (10, IDLE), (24.9, IDLE))
    assert gate.state == "opening"
    gate = follow(gate, (25, IDLE))
    assert (gate.state, gate.since, gate.cause, gate.reason) == ("open", 25, "", "")


def test_an_opening_gate_closes_for_a_cause_and_restarts_its_count() -> None:
    """Idle seconds before and after other programs' work do not add up."""
    gate = follow(Gate(), (0, IDLE), (14, BUSY))
    assert (gate.state, gate.since, gate.cause) == ("closed", 14, "cpu")
    gate = follow(gate, (15, IDLE), (29.9, IDLE))
    assert (gate.state, gate.since) == ("opening", 15)
    assert follow(gate, (30, IDLE)).is_open


def test_between_the_limits_an_open_gate_stays_open() -> None:
    """A small load from other programs does not stop enrichment."""
    gate = open_gate()
    assert follow(gate, (200, BETWEEN), (300, BETWEEN)) is gate


def test_between_the_limits_a_closed_gate_stays_closed() -> None:
    """The reason names the opening limit."""
    gate = follow(Gate(), (0, BETWEEN), (1000, BETWEEN))
    assert (gate.state, gate.since) == ("closed", 0)
    assert gate.reason == "other programs leave 20% of the memory free (starts above 25%)"


def test_at_its_limits_an_open_gate_stays_open() -> None:
    """It closes only beyond its limits."""
    edge = idle_with(
        foreign_cores=0.5,
        memory_share=0.15,
        disk_mib=500.0,
        stalled_share=0.3,
        gpu_share=0.3,
        web=WebLoad(20.0, 99, 0.5),
    )
    assert follow(open_gate(), (200, edge)).is_open


def test_beyond_a_closing_limit_the_gate_closes_at_once() -> None:
    """One reading beyond a closing limit is enough."""
    gate = follow(open_gate(), (100.05, BUSY))
    assert (gate.state, gate.since, gate.closed_at) == ("closed", 100.05, 100.05)
    assert (gate.cause, gate.idle_since) == ("cpu", None)
    assert gate.reason == "other programs use 2.00 CPU cores (pauses above 0.5)"


def test_a_closed_gate_stays_closed_for_twenty_seconds() -> None:
    """Fifteen idle seconds within the twenty do not open it."""
    gate = follow(open_gate(), (100, BUSY), (100.5, IDLE), (116, IDLE), (119.9, IDLE))
    assert gate.state == "opening"
    assert follow(gate, (120, IDLE)).is_open


def test_a_cause_while_the_gate_is_closed_restarts_only_the_idle_seconds() -> None:
    """The twenty seconds count from when it closed, the fifteen from the last cause."""
    gate = follow(open_gate(), (100, BUSY), (118, BUSY), (118.5, IDLE), (133, IDLE))
    assert (gate.state, gate.closed_at) == ("opening", 100)
    assert follow(gate, (133.5, IDLE)).is_open


def test_a_gate_that_closes_while_work_is_in_progress_is_suspended() -> None:
    """The state shows that stopped work waits."""
    gate = follow(open_gate(), (200, BUSY), in_progress=True)
    assert (gate.state, gate.since) == ("suspended", 200)
    assert not gate.is_open


def test_suspended_work_stays_suspended_while_the_machine_becomes_idle() -> None:
    """The reason changes; the state and its start do not."""
    gate = follow(open_gate(), (200, BUSY), (201, IDLE), in_progress=True)
    assert (gate.state, gate.since) == ("suspended", 200)
    assert gate.reason == "the machine must be idle for 15 s before work starts"
    gate = follow(gate, (210, BUSY), in_progress=True)
    assert (gate.state, gate.since, gate.cause) == ("suspended", 200, "cpu")


def test_suspended_work_continues_when_the_gate_opens() -> None:
    """A suspended gate opens as soon as a closed one would."""
    gate = follow(open_gate(), (200, BUSY), (200.5, IDLE), (220, IDLE), in_progress=True)
    assert (gate.state, gate.since, gate.closed_at) == ("open", 220, 200)


@pytest.mark.parametrize(("reading", "state"), [(BUSY, "closed"), (IDLE, "opening")])
def test_the_gate_is_no_longer_suspended_once_the_work_is_given_up(
    reading: Reading, state: State
) -> None:
    """From then on it is closed or opening."""
    gate = follow(open_gate(), (200, BUSY), (201, reading), in_progress=True)
    gate = follow(gate, (202, reading))
    assert (gate.state, gate.since, gate.closed_at) == (state, 202, 200)


def test_giving_up_the_work_does_not_delay_the_opening() -> None:
    """Idle seconds that passed before it count."""
    gate = follow(open_gate(), (200, BUSY), (201, IDLE), (219, IDLE), in_progress=True)
    assert follow(gate, (219.5, IDLE), (220, IDLE)).is_open


def test_unknown_figures_leave_an_open_gate_open() -> None:
    """An unknown figure is not a cause to stop work."""
    assert follow(open_gate(), (200, UNKNOWN)).is_open


def test_unknown_cpu_leaves_a_closed_gate_closed() -> None:
    """The gate does not become opening."""
    gate = follow(Gate(), (0, UNKNOWN), (1000, UNKNOWN))
    assert (gate.state, gate.cause) == ("closed", "cpu")
    assert gate.reason == "the CPU use of other programs is being measured"


def test_figures_that_the_machine_lacks_do_not_block_work() -> None:
    """Not every machine has a GPU, a web process or PSI."""
    bare = Reading(foreign_cores=0.0, memory_share=0.9, disk_mib=10_000.0)
    assert follow(Gate(), (0, bare), (15, bare)).is_open


@pytest.mark.parametrize(
    ("reading", "cause", "words"),
    [
        (idle_with(failed="the store does not answer"), "failed", "the store does not answer"),
        (
            idle_with(is_paused=True),
            "paused",
            "workers are paused; to resume: python -m enrich resume",
        ),
        (
            idle_with(memory_share=0.1),
            "memory",
            "other programs leave 10% of the memory free (pauses below 15%)",
        ),
        (
            idle_with(foreign_cores=1.25),
            "cpu",
            "other programs use 1.25 CPU cores (pauses above 0.5)",
        ),
        (idle_with(disk_mib=12.0), "disk", "12 MiB of disk space are free (needs 500 MiB)"),
        (
            idle_with(web=WebLoad(31.0, 2, 0.01)),
            "web",
            "the web processes answer 31 requests/s (limit 20)",
        ),
        (
            idle_with(web=WebLoad(3.0, 2, 0.75)),
            "web",
            "the web processes' p95 latency is 0.75 s (limit 0.5 s)",
        ),
        (idle_with(gpu_share=0.9), "gpu", "other programs use 90% of a GPU (limit 30%)"),
    ],
    ids=["failed", "paused", "memory", "cpu", "disk", "requests", "p95", "gpu"],
)
def test_each_cause_closes_the_gate_with_its_own_reason(
    reading: Reading, cause: str, words: str
) -> None:
    """The gate stays closed while the cause lasts."""
    gate = follow(open_gate(), (200, reading))
    assert (gate.state, gate.cause, gate.reason) == ("closed", cause, words)
    later = follow(gate, (1000, reading), (2000, reading))
    assert (later.state, later.cause) == ("closed", cause)


def test_pressure_keeps_a_gate_closed_and_does_not_close_an_open_one() -> None:
    """Veilleuse's own work also waits for memory and disk."""
    assert follow(open_gate(), (200, idle_with(stalled_share=0.4))).is_open
    gate = follow(Gate(), (0, idle_with(stalled_share=0.4)))
    assert (gate.state, gate.cause) == ("closed", "pressure")
    assert gate.reason == "tasks wait for memory or disk 40% of the time (starts below 30%)"


def test_memory_is_named_before_every_other_figure() -> None:
    """It is the only cause for which the work is ended."""
    worst = idle_with(
        foreign_cores=9.0,
        memory_share=0.01,
        disk_mib=0.0,
        stalled_share=1.0,
        gpu_share=1.0,
        web=WebLoad(999.0, 9, 9.0),
    )
    paused = dataclasses.replace(worst, is_paused=True)
    assert find_cause(worst, LIMITS, is_open=True)[0] == "memory"
    assert find_cause(paused, LIMITS, is_open=True)[0] == "paused"


def test_memory_is_named_as_the_cause_as_soon_as_it_runs_out() -> None:
    """The gate may have closed for another cause."""
    gate = follow(open_gate(), (200, BUSY), in_progress=True)
    gate = follow(gate, (201, idle_with(foreign_cores=2.0, memory_share=0.05)), in_progress=True)
    assert (gate.state, gate.since, gate.cause) == ("suspended", 200, "memory")


@pytest.mark.parametrize(
    ("reading", "is_open", "closes"),
    [
        (idle_with(foreign_cores=0.3), False, False),
        (idle_with(foreign_cores=0.31), False, True),
        (idle_with(foreign_cores=0.5), True, False),
        (idle_with(foreign_cores=0.51), True, True),
        (idle_with(memory_share=0.25), False, False),
        (idle_with(memory_share=0.24), False, True),
        (idle_with(memory_share=0.15), True, False),
        (idle_with(memory_share=0.14), True, True),
    ],
)
def test_the_opening_limits_are_stricter_than_the_closing_limits(
    reading: Reading, *, is_open: bool, closes: bool
) -> None:
    """Otherwise the gate would open and close all the time."""
    assert bool(find_cause(reading, LIMITS, is_open=is_open)[0]) is closes


@dataclass(frozen=True)
class Moment:
    """A reading, the seconds since the one before, and whether work was in progress."""

    after: float
    reading: Reading
    in_progress: bool


shares = st.none() | st.floats(0, 1)
loads = st.none() | st.builds(
    WebLoad, st.floats(0, 40), st.integers(0, 9), st.floats(0, 1, allow_subnormal=False)
)
any_reading = st.builds(
    Reading,
    foreign_cores=st.none() | st.floats(0, 2),
    memory_share=shares,
    disk_mib=st.none() | st.floats(0, 2000),
    stalled_share=shares,
    gpu_share=shares,
    web=loads,
    is_paused=st.booleans(),
    failed=st.sampled_from(["", "it cannot be read"]),
)
# Mostly idle: otherwise the gate would never open.
moments = st.builds(
    Moment,
    after=st.sampled_from([0.0, 0.05, 0.5, 5.0, 20.0]) | st.floats(0, 30),
    reading=st.sampled_from([IDLE, IDLE, IDLE, IDLE, BETWEEN, BUSY, UNKNOWN]) | any_reading,
    in_progress=st.booleans(),
)


@given(st.lists(moments, max_size=60))
def test_the_gate_obeys_its_rules_for_any_readings(history: list[Moment]) -> None:
    """It opens at most every 20 s, any cause closes it, and only work in progress is suspended."""
    gate, now, closed_in_progress = Gate(), 0.0, False
    openings: list[float] = []
    for moment in history:
        now += moment.after
        before = gate
        gate = advance(before, moment.reading, now, LIMITS, in_progress=moment.in_progress)
        if before.is_open and not gate.is_open:
            closed_in_progress = moment.in_progress
        if gate.is_open and not before.is_open:
            assert before.idle_since is not None
            assert now - before.idle_since >= LIMITS.open_seconds
            assert before.closed_at is None or now - before.closed_at >= LIMITS.closed_seconds
            openings.append(now)
        cause, reason = find_cause(moment.reading, LIMITS, is_open=before.is_open)
        if cause:
            assert not gate.is_open
            assert (gate.cause, gate.reason) == (cause, reason)
        else:
            assert gate.cause == ""
        if gate.state == "suspended":
            assert closed_in_progress
            assert moment.in_progress
        assert gate.is_open == (gate.reason == "")
        assert gate.since <= now
    assert all(later - earlier >= LIMITS.closed_seconds for earlier, later in pairwise(openings))
