"""Differences between two versions by their stored metrics alone, measured on different rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from .difference import Difference, share_difference, unpaired_difference
from .out_of_fold import ModelKind

Metrics: TypeAlias = Mapping[str, Any]


def metric_difference(before: Metrics, after: Metrics, model: ModelKind) -> Difference | None:
    """Return the difference in accuracy, or in the mean error of numbers, of two versions.

    None if they are not of one kind, or were made before these figures were stored.
    """
    old, new = before.get(model) or {}, after.get(model) or {}
    counts = [_records(metrics) for metrics in (before, after)]
    if "accuracy" in old and "accuracy" in new:
        return share_difference(old["accuracy"], new["accuracy"], *counts)
    if "mae" in old and "mae" in new:
        variances = [
            (score["mse"] - score["mae"] ** 2) / count
            for score, count in zip((old, new), counts, strict=True)
        ]
        return unpaired_difference(old["mae"], new["mae"], *variances)
    return None


def _records(metrics: Metrics) -> float:
    """Return how many independent rows were measured: rows of one record are not."""
    return max(metrics.get("records") or metrics.get("rows") or 1, 1)


def recall_differences(before: Metrics, after: Metrics) -> dict[str, Difference]:
    """Return the difference in the teacher's recall of each label that both versions know."""
    old, new = ((metrics.get("teacher") or {}).get("labels", {}) for metrics in (before, after))
    return {
        label: share_difference(
            old[label]["recall"], new[label]["recall"], old[label]["rows"], new[label]["rows"]
        )
        for label in new
        if label in old
    }
