"""Tests of objectives and scenarios, from the shipped file and from the command line."""

from __future__ import annotations

import pytest

from benchmark.load.scenario import ScenarioError, change, find_scenario, read_scenarios
from benchmark.objective import read_objective


@pytest.mark.parametrize(
    ("text", "measured", "holds", "margin"),
    [
        ("p95 <= 120 ms", 60.0, True, 0.5),
        ("p95 <= 120 ms", 120.0, True, 0.0),
        ("p95 of student <= 100 ms", 150.0, False, -0.5),
        ("server p99 <= 10 ms", 9.0, True, 0.1),
        ("errors <= 10 in 10000", 11.0, False, -0.1),
        ("errors <= 0 in 10000", 0.0, True, 0.0),
        ("knee >= 600/s", 900.0, True, 0.5),
        ("rate >= 600 /s", 300.0, False, -0.5),
        ("memory growth <= 10 %", -1.0, True, 1.1),
    ],
)
def test_an_objective_holds_up_to_its_limit(
    text: str, *, measured: float, holds: bool, margin: float
) -> None:
    """Its margin is the distance to the limit, as a share of the limit."""
    objective = read_objective(text)
    assert objective.text == text
    assert objective.holds(measured) is holds
    assert objective.margin(measured) == pytest.approx(margin)


@pytest.mark.parametrize(
    "text",
    ["", "p95 < 120 ms", "p95 <= 120", "p95 <= 120 s", "speed <= 1 ms", "errors <= 1 %",
     "errors of student <= 1 in 10000", "p95 of nobody <= 1 ms", "p95 <= -1 ms"],
)  # fmt: skip
def test_an_invalid_objective_is_refused_and_quoted(text: str) -> None:
    """The quoted text shows the user which objective is wrong."""
    with pytest.raises(
        ValueError, match=r"not an objective|wrong unit|counts all answers"
    ) as caught:
        read_objective(text)
    assert text in str(caught.value)


def test_an_objective_has_the_name_of_its_figure() -> None:
    """The figures of a run are looked up by this name."""
    assert read_objective("p95 of student <= 1 ms").name == "p95 of student"
    assert read_objective("server p99 <= 1 ms").name == "server p99"


def test_every_shipped_scenario_can_be_run() -> None:
    """Its objectives can be read, and its load is open exactly if it has no users."""
    scenarios = read_scenarios()
    expected = {"steady", "stress", "flood", "ramp", "tabular", "unseen", "health", "burst", "soak"}
    assert expected <= scenarios.keys()
    for scenario in scenarios.values():
        assert scenario.read_objectives()
        assert scenario.is_open is (scenario.users == 0)


def test_options_override_a_scenario() -> None:
    """Users, spawn rate, duration and objectives can be changed."""
    steady = find_scenario("steady", read_scenarios())
    changed = change(steady, users=3, seconds=5.0, objectives=("p50 <= 1 ms",))
    assert (changed.users, changed.spawn_rate, changed.seconds) == (3, steady.spawn_rate, 5.0)
    assert changed.objectives == ("p50 <= 1 ms",)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("ramp", {"users": 5}, "has no users"),
        ("steady", {"seconds": 0.0}, "seconds: must be above 0"),
        ("steady", {"spawn_rate": 0.0}, "spawn_rate: must be above 0"),
        ("steady", {"objectives": ("soon",)}, '"soon": not an objective'),
        ("nothing", {}, "--scenario nothing: no such scenario; choose one of: steady"),
    ],
)
def test_an_invalid_option_is_refused_with_the_reason(
    name: str,
    options: dict[str, object],
    words: str,
) -> None:
    """The message names the option or the key to correct."""
    with pytest.raises(ScenarioError, match=words):
        change(find_scenario(name, read_scenarios()), **options)  # type: ignore[arg-type]
