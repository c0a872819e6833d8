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
class PromotionDecision:
    """Whether, and why."""

    active: bool
    reason: str


def decide_promotion(
    old: OutOfFold | None, new: OutOfFold, truth: Mapping[bytes, Any]
) -> PromotionDecision:
    """Hold a new model's answers against the active one's, on the keys that both answered.

    `truth` is today's label by key. Neither teacher nor student may be more than one standard
    error worse, unless the set of labels has changed: then there is nothing to compare.
    """
    if old is None:
        return PromotionDecision(active=True, reason="there is no other")
    if old.labels != new.labels:
        return PromotionDecision(active=True, reason="the set of labels has changed")
    for of in ("teacher", "student"):
        before, after = old.answers(of), new.answers(of)
        common = [key for key in truth if key in before and key in after]
        if len(common) < FEWEST_COMMON:
            return PromotionDecision(active=True, reason="hardly a record was answered by both")
        truths, olds, store_state = (
            np.array([source[key] for key in common]) for source in (truth, before, after)
        )
        if is_worse(truths, olds, store_state, regression=not new.labels):
            return PromotionDecision(
                active=False, reason=f"its {of} is worse on {len(common):,} records"
            )
    return PromotionDecision(active=True, reason=f"not worse on {len(common):,} records")
