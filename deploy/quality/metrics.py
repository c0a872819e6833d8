"""Answers on held-out rows: their losses, their metrics, and the paired comparison of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, r2_score

Array: TypeAlias = npt.NDArray[Any]

BINS = 10
DRAWS = 200
# A probability of zero would make one surprise infinitely bad.
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Answers:
    """A row for each held-out row: the probability of each label, or one number without labels."""

    labels: list[str]
    rows: Array

    def losses(self, truth: Sequence[str]) -> Array:
        """Return minus the log of the probability of each row's label, or the squared error."""
        if not self.labels:
            errors: Array = np.square(self.rows[:, 0] - np.array(truth, float))
            return errors
        known = self._positions(truth)
        of_label = np.where(known < 0, 0.0, self.rows[np.arange(len(known)), known])
        losses: Array = -np.log(np.clip(of_label, LEAST_PROBABILITY, 1.0))
        return losses

    def metrics(self, truth: Sequence[str]) -> dict[str, float]:
        """Return R² and RMSE, or accuracy, macro-F1, log loss and calibration error."""
        loss = float(self.losses(truth).mean())
        if not self.labels:
            r2 = float(r2_score(np.array(truth, float), self.rows[:, 0]))
            return {"r2": r2, "rmse": loss**0.5}
        answers = np.array(self.labels)[self.rows.argmax(axis=1)]
        names = sorted({*self.labels, *truth})
        f1 = f1_score(list(truth), answers, labels=names, average="macro", zero_division=0)
        return {
            "accuracy": float(np.mean(answers == np.array(truth))),
            "macro_f1": float(f1),
            "log_loss": loss,
            "calibration_error": self._calibration_error(
                self.rows.argmax(axis=1) == self._positions(truth)
            ),
            "calibration_error_by_chance": self._calibration_error_by_chance(),
        }

    def _positions(self, truth: Sequence[str]) -> Array:
        at = {name: place for place, name in enumerate(self.labels)}
        return np.array([at.get(name, -1) for name in truth])

    def _calibration_error(self, right: Array) -> float:
        """Return the expected calibration error over ten bins (Naeini and others 2015)."""
        confidence = self.rows.max(axis=1)
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        gaps = np.bincount(bins, right - confidence, BINS)
        return float(np.abs(gaps).sum() / len(right))

    def _calibration_error_by_chance(self) -> float:
        """Return the mean error on as many rows if each probability were exactly right."""
        generator, confidence = np.random.default_rng(0), self.rows.max(axis=1)
        draws = [generator.random(len(confidence)) < confidence for _ in range(DRAWS)]
        return float(np.mean([self._calibration_error(right) for right in draws]))


@dataclass(frozen=True)
class Comparison:
    """The mean of the paired differences of losses, ours minus the peer's, and its error."""

    difference: float
    standard_error: float

    @property
    def z(self) -> float:
        """The difference in standard errors; below zero if ours is better."""
        return self.difference / max(self.standard_error, 1e-300)

    @property
    def verdict(self) -> str:
        """`better` or `worse` if they differ by more than one standard error."""
        if abs(self.difference) <= self.standard_error:
            return "as good"
        return "better" if self.difference < 0 else "worse"


def compare(ours: Array, peers: Array) -> Comparison:
    """Compare the losses of two models on the same rows."""
    differences = ours - peers
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return Comparison(float(differences.mean()), error)
