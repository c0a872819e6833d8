"""Whether a new model comes into use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cross_validation import OutOfFold
from .metrics import is_worse

# Fewer rows than these tell two models apart by chance alone.
FEWEST_COMMON = 10


@dataclass(frozen=True)
class Verdict:
    """Whether, and why."""

    active: bool
    reason: str


def judge(old: OutOfFold | None, new: OutOfFold, truth: Mapping[bytes, Any]) -> Verdict:
    """Hold a new model's answers against the active one's, on the keys that both answered.

    `truth` is today's label by key. Neither teacher nor student may be more than one standard
    error worse, unless the set of labels has changed: then there is nothing to compare.
    """
    if old is None:
        return Verdict(active=True, reason="there is no other")
    if old.labels != new.labels:
        return Verdict(active=True, reason="the set of labels has changed")
    for of in ("teacher", "student"):
        before, after = old.answers(of), new.answers(of)
        common = [key for key in truth if key in before and key in after]
        if len(common) < FEWEST_COMMON:
            return Verdict(active=True, reason="hardly a record was answered by both")
        truths, olds, news = (
            np.array([source[key] for key in common]) for source in (truth, before, after)
        )
        if is_worse(truths, olds, news, regression=not new.labels):
            return Verdict(active=False, reason=f"its {of} is worse on {len(common):,} records")
    return Verdict(active=True, reason=f"not worse on {len(common):,} records")
