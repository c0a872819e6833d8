"""The promotion decision: whether a newly trained model is activated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cross_validation import OutOfFold
from .metrics import is_worse

# On fewer common rows a difference between two models is chance.
FEWEST_COMMON = 10


@dataclass(frozen=True)
class PromotionDecision:
    """Whether to activate a new model, and why."""

    active: bool
    reason: str


def decide_promotion(
    old: OutOfFold | None, new: OutOfFold, truth: Sequence[tuple[bytes, Any]]
) -> PromotionDecision:
    """Compare a new model with the active one on the records that both answered out of fold.

    `truth` is the key and the current label of each row of these records. The new model is
    activated if neither its teacher nor its student is worse by more than one standard error. If
    there is no active model, the set of labels has changed or too few rows are common, there is
    nothing to compare, and it is activated.
    """
    if old is None:
        return PromotionDecision(active=True, reason="there is no other model to compare with")
    if old.labels != new.labels:
        return PromotionDecision(active=True, reason="the set of labels has changed")
    for model in ("teacher", "student"):
        before, after = old.answers(model), new.answers(model)
        common = [(key, label) for key, label in truth if key in before and key in after]
        if len(common) < FEWEST_COMMON:
            reason = f"fewer than {FEWEST_COMMON} rows in common with the active model"
            return PromotionDecision(active=True, reason=reason)
        true_values = np.array([label for _, label in common])
        old_answers, new_answers = (
            np.array([source[key] for key, _ in common]) for source in (before, after)
        )
        if is_worse(true_values, old_answers, new_answers, regression=not new.labels):
            return PromotionDecision(
                active=False, reason=f"its {model} is worse on {len(common):,} rows"
            )
    return PromotionDecision(active=True, reason=f"not worse on {len(common):,} rows")
