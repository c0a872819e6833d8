"""Drift: how far the predictions served differ from the model's predictions in training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# The usual limits for the population stability index (Siddiqi, Credit Risk Scorecards, 2006).
MODERATE, LARGE = 0.1, 0.25
# Fewer predictions mean little: with eight labels, 200 drawn as in training give an index of 0.04.
FEWEST_ANSWERS = 200


@dataclass(frozen=True)
class Drift:
    """The index with a sentence about it, or the reason why there is no index."""

    index: float | None
    words: str
    answers: int = 0

    @property
    def level(self) -> str:
        """The CSS class of the badge: fine, warn, bad, or unknown."""
        if self.index is None:
            return "unknown"
        return "fine" if self.index < MODERATE else "warn" if self.index < LARGE else "bad"


def stability_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Return the population stability index of two counts by name, adding 0.5 to each count."""
    names = before.keys() | now.keys()
    totals = [sum(counts.values()) + 0.5 * len(names) for counts in (before, now)]
    index = 0.0
    for name in names:
        expected, actual = (
            (counts.get(name, 0) + 0.5) / total
            for counts, total in zip((before, now), totals, strict=True)
        )
        index += (actual - expected) * math.log(actual / expected)
    return index


def drift_of(before: Mapping[str, int], now: Mapping[str, int]) -> Drift:
    """Return the drift of recent predictions (`now`) from those in training (`before`)."""
    answers = sum(now.values())
    if not before:
        words = "This model was trained before drift was measured. Retrain it."
        return Drift(None, words, answers)
    if answers < FEWEST_ANSWERS:
        words = f"Too few predictions to measure drift: {answers:,} of {FEWEST_ANSWERS}."
        return Drift(None, words, answers)
    index = stability_index(before, now)
    if index < MODERATE:
        words = "Predictions match training."
    elif index < LARGE:
        words = "Predictions differ somewhat from training."
    else:
        words = "Predictions differ from training. Review recent inputs, label some, retrain."
    return Drift(index, words, answers)
