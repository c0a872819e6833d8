"""Calibration: a factor that makes scores into fair probabilities, and how fair they are."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Array: TypeAlias = npt.NDArray[Any]

BINS = 10
# A probability of zero would make one surprise infinitely bad.
LEAST_PROBABILITY = 1e-6
MOST_FACTOR = 30.0


def fit_temperature(scores: Array, labels: Array, weights: Array) -> float:
    """Return the factor of scores whose probabilities have the least log loss.

    Scores are out of fold, rows by labels; `labels` are positions. A little of each row's weight
    goes to all labels, so that scores without an error do not become certain (Platt 1999). Without
    rows the factor is 1.
    """
    rows, width = scores.shape
    if not rows:
        return 1.0
    spared = 1 / (rows + 2)
    wanted = np.full(scores.shape, spared / width)
    wanted[np.arange(rows), labels] += 1 - spared

    def loss(logarithm: float) -> float:
        logs = log_softmax(math.exp(logarithm) * scores, axis=1)
        return -float(weights @ (wanted * logs).sum(axis=1))

    limits = (-math.log(MOST_FACTOR), math.log(MOST_FACTOR))
    return math.exp(minimize_scalar(loss, bounds=limits, method="bounded").x)


def log_losses(probabilities: Array, labels: Array) -> Array:
    """Return minus the logarithm of the probability of each row's label, a position.

    A label that has no probability, at position -1, counts as the least likely one.
    """
    of_label = np.where(labels < 0, 0.0, probabilities[np.arange(len(labels)), labels])
    losses: Array = -np.log(np.clip(of_label, LEAST_PROBABILITY, 1.0))
    return losses


def calibration_error(probabilities: Array, labels: Array) -> float:
    """Return the expected calibration error of the answers.

    That is by how much the probability of the answer differs from the share of right answers, on
    average over ten groups of rows with similar probabilities (Naeini and others 2015).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    group = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(group, right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))
