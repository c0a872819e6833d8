"""Drift: how far what is served lies from what the model answered in training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# The customary marks of the population stability index (Siddiqi, Credit Risk Scorecards, 2006).
MODERATE, LARGE = 0.1, 0.25
# Fewer answers say little: of eight labels, 200 that come just as in training give 0.04.
FEWEST_ANSWERS = 200


@dataclass(frozen=True)
class Drift:
    """The index and what it means; without an index, why there is none."""

    index: float | None
    words: str
    answers: int = 0

    @property
    def level(self) -> str:
        """How it is shown: fine, warn, bad, or unknown."""
        if self.index is None:
            return "unknown"
        return "fine" if self.index < MODERATE else "warn" if self.index < LARGE else "bad"


def stability_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Return the population stability index of two counts by name, half a count added to each."""
    names = before.keys() | now.keys()
    totals = [sum(counts.values()) + 0.5 * len(names) for counts in (before, now)]
    index = 0.0
    for name in names:
        expected, seen = (
            (counts.get(name, 0) + 0.5) / total
            for counts, total in zip((before, now), totals, strict=True)
        )
        index += (seen - expected) * math.log(seen / expected)
    return index


def drift_of(before: Mapping[str, int], now: Mapping[str, int]) -> Drift:
    """Return how far the answers of late lie from those in training."""
    answers = sum(now.values())
    if not before:
        return Drift(None, "this model was trained before drift was measured; train anew", answers)
    if answers < FEWEST_ANSWERS:
        return Drift(None, f"too few answers to tell: {answers:,} of {FEWEST_ANSWERS}", answers)
    index = stability_index(before, now)
    words = "as in training" if index < MODERATE else "somewhat other than in training"
    if index >= LARGE:
        words = "other than in training: look at what is asked, and train anew"
    return Drift(index, words, answers)
