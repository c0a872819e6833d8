"""The promotion decision: whether a newly trained model is activated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .gain import Gain, describe_gains, measure_gain
from .metrics import is_worse
from .out_of_fold import ModelKind, OutOfFold, losses_of

# On fewer common rows a difference between two models is chance.
FEWEST_COMMON = 10
MODELS: tuple[ModelKind, ...] = ("teacher", "student")


@dataclass(frozen=True)
class PromotionDecision:
    """Whether to activate a new model, why, and in words what it gains over the active one."""

    active: bool
    reason: str
    gain: str = ""


def decide_promotion(
    old: OutOfFold | None, new: OutOfFold, truth: Sequence[tuple[bytes, Any]]
) -> PromotionDecision:
    """Compare a new model with the active one on the records that both answered out of fold.

    `truth` is the key and the current label of each row of these records. The new model is
    activated if neither its teacher nor its student is worse by more than one standard error of the
    log loss or the squared error, whatever kinds of models they are. If there is no active model,
    the set of labels has changed or too few rows are common, there is nothing to compare, and it is
    activated.
    """
    if old is None:
        return PromotionDecision(active=True, reason="there is no other model to compare with")
    if old.labels != new.labels:
        return PromotionDecision(active=True, reason="the set of labels has changed")
    places = [_places(answers) for answers in (old, new)]
    common = [(key, label) for key, label in truth if all(key in at for at in places)]
    if len(common) < FEWEST_COMMON:
        reason = f"fewer than {FEWEST_COMMON} rows in common with the active model"
        return PromotionDecision(active=True, reason=reason)
    labels = np.array([label for _, label in common])
    rows = [[at[key] for key, _ in common] for at in places]
    records = np.array(rows[0])
    gains: dict[ModelKind, Gain] = {}
    worse: list[ModelKind] = []
    for model in MODELS:
        answers = [one.rows(model)[at] for one, at in zip((old, new), rows, strict=True)]
        gains[model] = measure_gain(answers[0], answers[1], labels, new.labels, records)
        before, after = (losses_of(one, labels, new.labels) for one in answers)
        worse += [model] if is_worse(before, after, records) else []
    gain = describe_gains(gains)
    if worse:
        reason = f"its {worse[0]} is worse on {len(common):,} rows"
        return PromotionDecision(active=False, reason=reason, gain=gain)
    reason = f"not worse on {len(common):,} rows"
    return PromotionDecision(active=True, reason=reason, gain=gain)


def _places(answers: OutOfFold) -> dict[bytes, int]:
    return {key: place for place, key in enumerate(answers.split_keys())}
