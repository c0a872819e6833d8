"""Objectives, as scenarios and people write them."""

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
    """And tells how far that is, in shares of the limit."""
    objective = read_objective(text)
    assert objective.text == text
    assert objective.holds(measured) is holds
    assert objective.margin(measured) == pytest.approx(margin)


@pytest.mark.parametrize(
    "text",
    ["", "p95 < 120 ms", "p95 <= 120", "p95 <= 120 s", "speed <= 1 ms", "errors <= 1 %",
     "errors of student <= 1 in 10000", "p95 of nobody <= 1 ms", "p95 <= -1 ms"],
)  # fmt: skip
def test_what_is_no_objective_is_refused_with_its_own_words(text: str) -> None:
    """Whoever wrote it finds it again."""
    with pytest.raises(
        ValueError, match=r"not an objective|wrong unit|counts all answers"
    ) as refused:
        read_objective(text)
    assert text in str(refused.value)


def test_an_objective_is_called_as_its_figure() -> None:
    """By which the figures are found."""
    assert read_objective("p95 of student <= 1 ms").name == "p95 of student"
    assert read_objective("server p99 <= 1 ms").name == "server p99"


def test_every_scenario_that_ships_can_be_played() -> None:
    """With objectives that can be read."""
    scenarios = read_scenarios()
    wanted = {"steady", "stress", "flood", "ramp", "tabular", "unseen", "health", "burst", "soak"}
    assert wanted <= scenarios.keys()
    for scenario in scenarios.values():
        assert scenario.read_objectives()
        assert scenario.is_open is (scenario.users == 0)


def test_a_scenario_takes_what_a_person_asks_for_instead() -> None:
    """Users, how fast they come, how long, what is promised."""
    steady = find_scenario("steady", read_scenarios())
    changed = change(steady, users=3, seconds=5.0, objectives=("p50 <= 1 ms",))
    assert (changed.users, changed.spawn_rate, changed.seconds) == (3, steady.spawn_rate, 5.0)
    assert changed.objectives == ("p50 <= 1 ms",)


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        ("ramp", {"users": 5}, "has no users"),
        ("steady", {"seconds": 0.0}, "seconds: must be above 0"),
        ("steady", {"spawn_rate": 0.0}, "spawn_rate: must be above 0"),
        ("steady", {"objectives": ("soon",)}, '"soon": not an objective'),
        ("nothing", {}, "--scenario nothing: no such scenario; choose one of: steady"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_reason(
    name: str,
    asked: dict[str, object],
    words: str,
) -> None:
    """In one line."""
    with pytest.raises(ScenarioError, match=words):
        change(find_scenario(name, read_scenarios()), **asked)  # type: ignore[arg-type]
