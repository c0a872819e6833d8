"""Simulated production: 90 days of answers whose labels come a week later, looked at every day.

Without a shift the page must stay green in at least 95 of 100 quarters, and a shift in the middle
must raise the alert within the delay that docs/how-it-works.md states.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from db.labels.production import WEEK_SECONDS, WeekOutcomes, judge_production
from db.labels.production_judge import Expected

DAYS = 90
DELAY_DAYS = 7
RUNS = 100
VERSION = 1


@dataclass(frozen=True)
class Scene:
    """A deployment: how many labels a day come, how good the model is, and when it gets worse."""

    labels_a_day: float
    training_records: int
    loss: float
    shifted_loss: float
    shift_day: int | None = None
    is_regression: bool = False


def first_alert(scene: Scene, seed: int) -> int | None:
    """Return the first day on which some week is judged worse than training, None without one."""
    chance = random.Random(seed)
    expected = {(VERSION, "student"): _train(scene, chance)}
    losses: defaultdict[int, list[float]] = defaultdict(list)
    for day in range(DAYS):
        answered = day - DELAY_DAYS
        if answered >= 0:
            losses[answered // 7] += _losses_of_day(scene, answered, chance)
        weeks = [_outcomes(week, some) for week, some in losses.items() if some]
        judged = judge_production(weeks, expected, is_regression=scene.is_regression)
        if any(week.is_worse for week in judged):
            return day
    return None


def _draw(scene: Scene, loss: float, chance: random.Random) -> float:
    if scene.is_regression:
        # Errors have long tails: most are small, and some are many times the mean.
        return loss * chance.lognormvariate(-0.5, 1.0)
    return float(chance.random() < loss)


def _train(scene: Scene, chance: random.Random) -> Expected:
    """Measure the model on records, which does not give its true loss."""
    losses = [_draw(scene, scene.loss, chance) for _ in range(scene.training_records)]
    mean = sum(losses) / len(losses)
    variance = sum((loss - mean) ** 2 for loss in losses) / len(losses)
    return Expected(mean, variance**0.5, len(losses))


def _losses_of_day(scene: Scene, day: int, chance: random.Random) -> list[float]:
    is_shifted = scene.shift_day is not None and day >= scene.shift_day
    loss = scene.shifted_loss if is_shifted else scene.loss
    number = round(chance.gauss(scene.labels_a_day, scene.labels_a_day**0.5))
    return [_draw(scene, loss, chance) for _ in range(max(number, 0))]


def _outcomes(week: int, losses: list[float]) -> WeekOutcomes:
    squares = sum(loss**2 for loss in losses)
    start = float(week * WEEK_SECONDS)
    return WeekOutcomes(start, VERSION, "student", len(losses), len(losses), sum(losses), squares)


SCENES = {
    "82 % right, 8 labels a day": Scene(8, 1500, 0.18, 0.38),
    "95 % right, 5 labels a day": Scene(5, 400, 0.05, 0.25),
    "82 % right, 100 labels a day": Scene(100, 5000, 0.18, 0.28),
    "a number, 10 labels a day": Scene(10, 1000, 312.0, 800.0, is_regression=True),
}


def green_runs(scene: Scene, runs: int = RUNS, first_seed: int = 0) -> int:
    """Return in how many runs without a shift no alert is raised on any day."""
    seeds = range(first_seed, first_seed + runs)
    return sum(first_alert(scene, seed) is None for seed in seeds)


def delays(scene: Scene, runs: int = RUNS) -> list[int]:
    """Return after how many days a shift on day 45 raises the alert, in order; DAYS for never."""
    shifted = Scene(**{**vars(scene), "shift_day": 45})
    found = [first_alert(shifted, seed) for seed in range(runs)]
    return sorted(DAYS if day is None else day - 45 for day in found)


def report() -> Iterator[str]:
    """Yield a line for each scene; raises AssertionError where a promise is not kept."""
    for name, scene in SCENES.items():
        green = green_runs(scene)
        days = delays(scene)
        yield (
            f"{name}: green in {green} of {RUNS} quarters without a shift; a shift is seen after"
            f" {days[len(days) // 2]} days (median), {days[len(days) * 95 // 100]} (95 of 100)"
        )
        assert green >= RUNS * 0.95, name
