"""Importance: how much each input matters for the answers of a student, over many rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from db.scoring.student import Student
from db.spec.field import Value

# Shares over more rows would differ little.
MOST_ROWS = 500
SEED = 0


def importance(student: Student, inputs: Sequence[Mapping[str, Value]]) -> dict[str, float]:
    """Return the share of each field in all that moves answers, the largest first.

    That is the mean size of the field's amounts in the explanations of a fair sample of rows.
    """
    chosen = np.random.default_rng(SEED).permutation(len(inputs))[:MOST_ROWS]
    sizes: dict[str, float] = {}
    for at in chosen.tolist():
        for reason in student.explain(dict(inputs[at]), most=sys.maxsize).reasons:
            sizes[reason.field] = sizes.get(reason.field, 0.0) + abs(reason.amount)
    total = sum(sizes.values()) or 1.0
    ordered = sorted(sizes.items(), key=lambda pair: -pair[1])
    return {name: size / total for name, size in ordered}
