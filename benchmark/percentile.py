"""Percentiles and medians of repeated measurements."""

from __future__ import annotations

import statistics
from typing import Any


def percentile(values: list[float], share: float) -> float:
    """Return the value that the given share of the values does not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def percentiles(values: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 under these names, which all reports use."""
    return {f"p{share:.0%}"[:-1]: percentile(values, share) for share in (0.5, 0.95, 0.99)}


def medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median of each figure over the rounds."""
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def format_failures(failures: dict[str, int]) -> str:
    """Return counts of failures as text: "3 × 503, 1 × ECONNREFUSED"."""
    return ", ".join(f"{count:,} × {kind}" for kind, count in sorted(failures.items()))
