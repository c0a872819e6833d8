"""What many measurements come to."""

from __future__ import annotations

import statistics
from typing import Any


def percentile(values: list[float], share: float) -> float:
    """Return what that share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def percentiles(values: list[float]) -> dict[str, float]:
    """Return the half, 95 and 99 of a hundred, by the names that all reports use."""
    return {f"p{share:.0%}"[:-1]: percentile(values, share) for share in (0.5, 0.95, 0.99)}


def medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median of each figure over the rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def kinds_of(failures: dict[str, int]) -> str:
    """Return failures as people read them: "3 × 503, 1 × ECONNREFUSED"."""
    return ", ".join(f"{count:,} × {kind}" for kind, count in sorted(failures.items()))
