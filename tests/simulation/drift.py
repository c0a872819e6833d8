"""Simulated drift: predictions of many days, whose badge is judged at the end of every hour.

A day without a shift must stay green in at least 95 of 100 days, and one prediction that rises
from 12.5 % to 43 % for six hours must not read green.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from serve.telemetry.drift import Drift, drifts, worst_drift

RUNS = 100
# The days of one model, and the models, each of which was trained on other rows.
DAYS, MODELS = 5, 20
SHIFT_HOURS = 6
SHIFTED_SHARE = 0.43


@dataclass(frozen=True)
class Scene:
    """A deployment: its labels, whose shares fall by a factor, and its answers an hour."""

    labels: int
    factor: float
    training: int
    answers_an_hour: int

    @property
    def weights(self) -> list[float]:
        """The weight of each label, the most frequent first."""
        return [self.factor**at for at in range(self.labels)]


SCENES = {
    "8 equal labels, 40 answers an hour": Scene(8, 1.0, 1810, 40),
    "8 equal labels, 300 answers an hour": Scene(8, 1.0, 1810, 300),
    "2 labels, 100 answers an hour": Scene(2, 0.3, 500, 100),
    "8 labels, 190 rows of training, 100 answers an hour": Scene(8, 0.8, 190, 100),
    "77 labels, 60 answers an hour": Scene(77, 0.97, 5000, 60),
}


def draw(chance: random.Random, weights: list[float], number: int) -> Counter[str]:
    """Return counts of labels, drawn by their weights."""
    labels = [f"label {at}" for at in range(len(weights))]
    return Counter(chance.choices(labels, weights, k=number))


def badges(scene: Scene, seed: int, hours: int, shifted_from: int | None = None) -> list[Drift]:
    """Return the badge at the end of each hour."""
    chance = random.Random(seed)
    before = draw(chance, scene.weights, scene.training)
    by_hour: dict[int, Counter[str]] = {}
    shown = []
    for hour in range(hours):
        is_shifted = shifted_from is not None and hour >= shifted_from
        weights = _shifted(scene.weights) if is_shifted else scene.weights
        usual = scene.answers_an_hour
        by_hour[hour] = draw(chance, weights, max(round(chance.gauss(usual, usual**0.5)), 0))
        shown.append(worst_drift(drifts(before, by_hour, hour)))
    return shown


def _shifted(weights: list[float]) -> list[float]:
    rest = sum(weights[1:])
    return [SHIFTED_SHARE, *((1 - SHIFTED_SHARE) * weight / rest for weight in weights[1:])]


def green_days(scene: Scene, seed: int, days: int = DAYS) -> int:
    """Return on how many days without a shift the badge never says that there is one."""
    shown = badges(scene, seed, 24 * days)
    return sum(
        all(it.level in {"fine", "unknown"} for it in shown[24 * day : 24 * (day + 1)])
        for day in range(days)
    )


def hours_until_seen(scene: Scene, seed: int) -> int:
    """Return after how many hours a shift is shown that begins in the second day's middle."""
    shown = badges(scene, seed, 36 + 24, shifted_from=36)[36:]
    return next((at + 1 for at, it in enumerate(shown) if it.level in {"warn", "bad"}), 25)


def report() -> Iterator[str]:
    """Yield a line for each scene; raises AssertionError where a promise is not kept."""
    for name, scene in SCENES.items():
        green = sum(green_days(scene, seed) for seed in range(MODELS))
        yield f"{name}: green on {green} of {DAYS * MODELS} days without a shift"
        assert green >= DAYS * MODELS * 0.95, name
    for name, scene in list(SCENES.items())[:2]:
        hours = sorted(hours_until_seen(scene, seed) for seed in range(RUNS))
        seen = sum(it <= SHIFT_HOURS for it in hours)
        yield (
            f"{name}: a rise from 12.5 % to 43 % is seen after {hours[len(hours) // 2]} hours"
            f" (median), within {SHIFT_HOURS} hours in {seen} of {RUNS} runs"
        )
        assert seen >= RUNS * 0.95, name
