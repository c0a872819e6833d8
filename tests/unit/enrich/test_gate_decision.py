"""The gate's decisions: states, their order, and what they are called."""

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
from enrich.gate.decision import Gate, Limits, State, advance, why_not
from enrich.gate.machine.reading import Reading

LIMITS = Limits.of(Settings())
# All is well, and known to be.
IDLE = Reading(
    foreign_cores=0.0,
    memory_share=0.9,
    disk_mib=10_000.0,
    stalled_share=0.0,
    gpu_share=0.0,
    web=WebLoad(),
)
# Between the limits that open and those that close.
BETWEEN = dataclasses.replace(IDLE, foreign_cores=0.4, memory_share=0.2)
BUSY = dataclasses.replace(IDLE, foreign_cores=2.0)
UNKNOWN = Reading()


def but(**changes: Any) -> Reading:  # noqa: ANN401
    """Return an idle machine's reading with these changes."""
    return dataclasses.replace(IDLE, **changes)


def follow(gate: Gate, *steps: tuple[float, Reading], holding: bool = False) -> Gate:
    """Return the gate after readings at these times."""
    for now, reading in steps:
        gate = advance(gate, reading, now, LIMITS, holding=holding)
    return gate


def opened(at: float = 100.0) -> Gate:
    """Return a gate that has been open for a while, and never closed before."""
    return Gate("open", at, "", "")


def test_limits_are_the_settings_under_their_own_names() -> None:
    """Each is declared once, in the settings."""
    settings = Settings(gate_open_cores=0.1, gate_gpu=0.7)
    limits = Limits.of(settings)
    for name in Limits.__dataclass_fields__:
        assert getattr(limits, name) == getattr(settings, f"gate_{name}"), name


def test_a_gate_begins_closed_and_says_why() -> None:
    """Nobody may work before the first reading."""
    gate = Gate()
    assert (gate.state, gate.is_open) == ("closed", False)
    assert gate.reason == "it has just started"


def test_an_idle_machine_is_opening_first() -> None:
    """And says for how long it will be watched."""
    gate = follow(Gate(), (10, IDLE))
    assert (gate.state, gate.since, gate.cause) == ("opening", 10, "")
    assert gate.reason == "the machine is idle, for 15 s before work goes on"


def test_it_opens_after_fifteen_idle_seconds_and_not_sooner() -> None:
    """Which count from the first idle reading, not from the start."""
    gate = follow(Gate(), (10, IDLE), (24.9, IDLE))
    assert gate.state == "opening"
    gate = follow(gate, (25, IDLE))
    assert (gate.state, gate.since, gate.cause, gate.reason) == ("open", 25, "", "")


def test_an_opening_gate_closes_for_a_reason_and_counts_anew() -> None:
    """Idle seconds before and after somebody's work do not add up."""
    gate = follow(Gate(), (0, IDLE), (14, BUSY))
    assert (gate.state, gate.since, gate.cause) == ("closed", 14, "cpu")
    gate = follow(gate, (15, IDLE), (29.9, IDLE))
    assert (gate.state, gate.since) == ("opening", 15)
    assert follow(gate, (30, IDLE)).is_open


def test_between_the_limits_an_open_gate_stays_open() -> None:
    """A little of others' work does not stop ours."""
    gate = opened()
    assert follow(gate, (200, BETWEEN), (300, BETWEEN)) is gate


def test_between_the_limits_a_closed_gate_stays_closed() -> None:
    """And says by which limit."""
    gate = follow(Gate(), (0, BETWEEN), (1000, BETWEEN))
    assert (gate.state, gate.since) == ("closed", 0)
    assert gate.reason == "others leave 20% of the memory free, less than 25%"


def test_at_its_limits_an_open_gate_stays_open() -> None:
    """It closes above them."""
    edge = but(
        foreign_cores=0.5,
        memory_share=0.15,
        disk_mib=500.0,
        stalled_share=0.3,
        gpu_share=0.3,
        web=WebLoad(20.0, 99, 0.5),
    )
    assert follow(opened(), (200, edge)).is_open


def test_above_a_higher_limit_it_closes_at_once() -> None:
    """One reading is enough."""
    gate = follow(opened(), (100.05, BUSY))
    assert (gate.state, gate.since, gate.closed_at) == ("closed", 100.05, 100.05)
    assert (gate.cause, gate.idle_since) == ("cpu", None)
    assert gate.reason == "others use 2.00 cores, more than 0.5"


def test_once_closed_it_stays_so_for_twenty_seconds() -> None:
    """Fifteen idle ones among them are not enough."""
    gate = follow(opened(), (100, BUSY), (100.5, IDLE), (116, IDLE), (119.9, IDLE))
    assert gate.state == "opening"
    assert follow(gate, (120, IDLE)).is_open


def test_what_closes_it_again_while_closed_does_not_make_it_wait_longer_than_idleness() -> None:
    """The twenty seconds count from when it closed, the fifteen from the last reason."""
    gate = follow(opened(), (100, BUSY), (118, BUSY), (118.5, IDLE), (133, IDLE))
    assert (gate.state, gate.closed_at) == ("opening", 100)
    assert follow(gate, (133.5, IDLE)).is_open


def test_closed_with_held_work_it_is_suspended() -> None:
    """People see that something waits."""
    gate = follow(opened(), (200, BUSY), holding=True)
    assert (gate.state, gate.since) == ("suspended", 200)
    assert not gate.is_open


def test_suspended_work_stays_suspended_while_the_machine_becomes_idle() -> None:
    """Its reason changes, its state and since when do not."""
    gate = follow(opened(), (200, BUSY), (201, IDLE), holding=True)
    assert (gate.state, gate.since) == ("suspended", 200)
    assert gate.reason == "the machine is idle, for 15 s before work goes on"
    gate = follow(gate, (210, BUSY), holding=True)
    assert (gate.state, gate.since, gate.cause) == ("suspended", 200, "cpu")


def test_suspended_work_goes_on_when_the_gate_opens() -> None:
    """As soon as any other would."""
    gate = follow(opened(), (200, BUSY), (200.5, IDLE), (220, IDLE), holding=True)
    assert (gate.state, gate.since, gate.closed_at) == ("open", 220, 200)


@pytest.mark.parametrize(("reading", "state"), [(BUSY, "closed"), (IDLE, "opening")])
def test_work_given_back_is_suspended_no_longer(reading: Reading, state: State) -> None:
    """The gate is then what it is without work, from that moment."""
    gate = follow(opened(), (200, BUSY), (201, reading), holding=True)
    gate = follow(gate, (202, reading))
    assert (gate.state, gate.since, gate.closed_at) == (state, 202, 200)


def test_work_given_back_does_not_put_off_the_opening() -> None:
    """Idle seconds that passed before count."""
    gate = follow(opened(), (200, BUSY), (201, IDLE), (219, IDLE), holding=True)
    assert follow(gate, (219.5, IDLE), (220, IDLE)).is_open


def test_unknown_figures_leave_an_open_gate_open() -> None:
    """It is too soon to tell."""
    assert follow(opened(), (200, UNKNOWN)).is_open


def test_unknown_cpu_leaves_a_closed_gate_closed() -> None:
    """It does not even begin to open."""
    gate = follow(Gate(), (0, UNKNOWN), (1000, UNKNOWN))
    assert (gate.state, gate.cause) == ("closed", "cpu")
    assert gate.reason == "the CPU is being watched for a moment"


def test_figures_that_the_machine_does_not_tell_keep_nobody_from_work() -> None:
    """Not every machine has a GPU, a web process or PSI."""
    bare = Reading(foreign_cores=0.0, memory_share=0.9, disk_mib=10_000.0)
    assert follow(Gate(), (0, bare), (15, bare)).is_open


@pytest.mark.parametrize(
    ("reading", "cause", "words"),
    [
        (but(failed="the store does not answer"), "failed", "the store does not answer"),
        (
            but(is_paused=True),
            "paused",
            "workers are paused; go on with: python -m enrich resume",
        ),
        (
            but(memory_share=0.1),
            "memory",
            "others leave 10% of the memory free, less than 15%",
        ),
        (but(foreign_cores=1.25), "cpu", "others use 1.25 cores, more than 0.5"),
        (but(disk_mib=12.0), "disk", "12 MiB of disk are free, less than 500"),
        (
            but(web=WebLoad(31.0, 2, 0.01)),
            "web",
            "the web answers 31 requests/s, more than 20",
        ),
        (
            but(web=WebLoad(3.0, 2, 0.75)),
            "web",
            "the web's p95 is 0.75 s, more than 0.5 s",
        ),
        (but(gpu_share=0.9), "gpu", "others use 90% of a GPU"),
    ],
    ids=["failed", "paused", "memory", "cpu", "disk", "requests", "p95", "gpu"],
)
def test_each_reason_closes_it_in_its_own_words(reading: Reading, cause: str, words: str) -> None:
    """And keeps it closed."""
    gate = follow(opened(), (200, reading))
    assert (gate.state, gate.cause, gate.reason) == ("closed", cause, words)
    later = follow(gate, (1000, reading), (2000, reading))
    assert (later.state, later.cause) == ("closed", cause)


def test_waiting_for_memory_or_disk_keeps_a_gate_closed_and_closes_none() -> None:
    """Our own work waits for them too."""
    assert follow(opened(), (200, but(stalled_share=0.4))).is_open
    gate = follow(Gate(), (0, but(stalled_share=0.4)))
    assert (gate.state, gate.cause) == ("closed", "pressure")
    assert gate.reason == "memory or disk kept somebody waiting 40%"


def test_memory_is_named_before_all_that_the_machine_says() -> None:
    """For memory alone the work is ended."""
    worst = but(
        foreign_cores=9.0,
        memory_share=0.01,
        disk_mib=0.0,
        stalled_share=1.0,
        gpu_share=1.0,
        web=WebLoad(999.0, 9, 9.0),
    )
    assert why_not(worst, LIMITS, is_open=True)[0] == "memory"
    assert why_not(dataclasses.replace(worst, is_paused=True), LIMITS, is_open=True)[0] == "paused"


def test_memory_is_named_as_the_cause_as_soon_as_it_runs_out() -> None:
    """Even where the gate has closed for something else."""
    gate = follow(opened(), (200, BUSY), holding=True)
    gate = follow(gate, (201, but(foreign_cores=2.0, memory_share=0.05)), holding=True)
    assert (gate.state, gate.since, gate.cause) == ("suspended", 200, "memory")


@pytest.mark.parametrize(
    ("reading", "is_open", "closes"),
    [
        (but(foreign_cores=0.3), False, False),
        (but(foreign_cores=0.31), False, True),
        (but(foreign_cores=0.5), True, False),
        (but(foreign_cores=0.51), True, True),
        (but(memory_share=0.25), False, False),
        (but(memory_share=0.24), False, True),
        (but(memory_share=0.15), True, False),
        (but(memory_share=0.14), True, True),
    ],
)
def test_what_opens_it_is_stricter_than_what_closes_it(
    reading: Reading, *, is_open: bool, closes: bool
) -> None:
    """So that it does not flutter."""
    assert bool(why_not(reading, LIMITS, is_open=is_open)[0]) is closes


@dataclass(frozen=True)
class Moment:
    """A reading, after how long, and whether work was held then."""

    after: float
    reading: Reading
    holding: bool


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
# Mostly idle, or it would never open.
moments = st.builds(
    Moment,
    after=st.sampled_from([0.0, 0.05, 0.5, 5.0, 20.0]) | st.floats(0, 30),
    reading=st.sampled_from([IDLE, IDLE, IDLE, IDLE, BETWEEN, BUSY, UNKNOWN]) | any_reading,
    holding=st.booleans(),
)


@given(st.lists(moments, max_size=60))
def test_whatever_is_read_whenever_the_gate_keeps_its_promises(history: list[Moment]) -> None:
    """Openings lie apart, nothing works on over a reason, and only held work is suspended."""
    gate, now, closed_holding = Gate(), 0.0, False
    openings: list[float] = []
    for moment in history:
        now += moment.after
        before = gate
        gate = advance(before, moment.reading, now, LIMITS, holding=moment.holding)
        if before.is_open and not gate.is_open:
            closed_holding = moment.holding
        if gate.is_open and not before.is_open:
            assert before.idle_since is not None
            assert now - before.idle_since >= LIMITS.open_seconds
            assert before.closed_at is None or now - before.closed_at >= LIMITS.closed_seconds
            openings.append(now)
        cause, reason = why_not(moment.reading, LIMITS, is_open=before.is_open)
        if cause:
            assert not gate.is_open
            assert (gate.cause, gate.reason) == (cause, reason)
        else:
            assert gate.cause == ""
        if gate.state == "suspended":
            assert closed_holding
            assert moment.holding
        assert gate.is_open == (gate.reason == "")
        assert gate.since <= now
    assert all(later - one >= LIMITS.closed_seconds for one, later in pairwise(openings))
