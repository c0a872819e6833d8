"""What is said of a model: its answers out of fold beside the truth, and beside no model at all."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.traffic.prediction_counts import prediction_name

from .cross_validation import OutOfFold
from .frame import Frame
from .metrics import Report, classification_report, loss_rise, regression_report

Array: TypeAlias = npt.NDArray[Any]

# Where a regression explains less than this share of the variance, its report says so.
LITTLE = 0.3


def report_on(frame: Frame, answers: OutOfFold) -> Report:
    """Return the metrics of teacher, student and baseline, and how alike the two answer."""
    teacher, student = (_ordered(frame, answers, of) for of in ("teacher", "student"))
    constant = _constant(frame, answers)
    regression = not answers.labels
    rise, error = loss_rise(frame.labels, constant, teacher, regression=regression)
    baseline = _score(frame.labels, constant, answers)
    for detail in ("labels", "confusion"):
        baseline.pop(detail, None)
    return {
        "rows": len(frame),
        "labels": answers.labels,
        "columns": frame.columns,
        "teacher": _score(frame.labels, teacher, answers),
        "student": _score(frame.labels, student, answers),
        "baseline": baseline,
        "beats_baseline": rise < -error,
        "fidelity": _fidelity(teacher, student, answers),
        # What is served is held against it, to see whether it has drifted.
        "answers": dict(Counter(prediction_name(one) for one in teacher.tolist())),
    }


def loss_of(frame: Frame, answers: OutOfFold) -> float:
    """Return what the teacher is chosen by: its mean squared error, or its macro-F1 below 0."""
    score = _score(frame.labels, _ordered(frame, answers, "teacher"), answers)
    return float(score["mse"] if "mse" in score else -score["macro"]["f1"])


def _ordered(frame: Frame, answers: OutOfFold, of: str) -> Array:
    given = answers.answers(of)
    return np.array([given[key] for key in frame.keys])


def _constant(frame: Frame, answers: OutOfFold) -> Array:
    """Return what a model that learnt nothing answers: the mean, or the commonest label."""
    if not answers.labels:
        return np.full(len(frame), frame.labels.mean())
    names, counts = np.unique(frame.labels, return_counts=True)
    return np.full(len(frame), names[counts.argmax()])


def _score(truth: Array, given: Array, answers: OutOfFold) -> Report:
    if not answers.labels:
        return regression_report(truth, given)
    # A file that a model is held against may hold labels that it has never seen.
    return classification_report(truth, given, sorted({*answers.labels, *truth.tolist()}))


def _fidelity(teacher: Array, student: Array, answers: OutOfFold) -> float:
    """Return the share of rows that both answer alike, or R² of the student against the teacher."""
    if answers.labels:
        return float(np.mean(teacher == student))
    return float(regression_report(teacher, student)["r2"])


def in_words(name: str, metrics: Report) -> list[str]:
    """Return the lines that a person reads."""
    read = ", ".join(metrics["columns"])
    lines = [
        f"{name}: {metrics['rows']:,} labelled rows, teacher {metrics['estimator']} reads {read}",
        *(f"  {of:<8} {_line(metrics[of])}" for of in ("teacher", "student", "baseline")),
        f"  student agrees with teacher: {metrics['fidelity']:.3f}",
    ]
    for label, score in metrics["teacher"].get("labels", {}).items():
        lines.append(
            f"  {label:<24} precision {score['precision']:.3f}  recall {score['recall']:.3f}"
            f"  F1 {score['f1']:.3f}  of {score['rows']:,}"
        )
    if metrics.get("not_covering"):
        lines.append(
            f"  not read, since not every labelled row has it yet:"
            f" {', '.join(metrics['not_covering'])}; run python -m enrich once, then train again"
        )
    explained = metrics["teacher"].get("r2", 1.0)
    if metrics["beats_baseline"] and explained < LITTLE:
        lines.append(
            f"  these fields explain {explained:.0%} of how {metrics['target']} varies:"
            f" most of what decides it is not among them"
        )
    if not metrics["beats_baseline"]:
        always = "the commonest label" if metrics["labels"] else "the mean"
        lines.append(
            f"  nothing here beats always answering {always}:"
            f" these fields say little or nothing about it"
        )
    return lines


def _line(score: Report) -> str:
    if "mse" in score:
        return f"R² {score['r2']:.3f}  MSE {score['mse']:,.4g}  RMSE {score['rmse']:,.4g}"
    macro, micro = score["macro"], score["micro"]
    return (
        f"accuracy {score['accuracy']:.3f}  macro-F1 {macro['f1']:.3f}  micro-F1 {micro['f1']:.3f}"
        f"  macro precision {macro['precision']:.3f}  recall {macro['recall']:.3f}"
    )
