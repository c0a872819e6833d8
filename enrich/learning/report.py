"""The report on a model: its answers compared with the labels and with a constant answer."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.traffic.prediction_counts import prediction_name

from .cross_validation import OutOfFold
from .metrics import Report, classification_report, loss_rise, regression_report
from .training_table import Frame

Array: TypeAlias = npt.NDArray[Any]

# If a regression explains less than this share of the variance, its report says so.
LOW_R2 = 0.3
# An accuracy or R² this high is seldom true of data that are known before the target is.
ALMOST_PERFECT = 0.999


def report_on(frame: Frame, answers: OutOfFold) -> Report:
    """Return the metrics of teacher, student and baseline, and the fidelity of the student.

    They count rows, of which a record may have several. The baseline answers the most frequent
    label, or the mean, for every row.
    """
    teacher, student = (_ordered(frame, answers, model) for model in ("teacher", "student"))
    constant = _constant(frame, answers)
    regression = not answers.labels
    rise, error = loss_rise(frame.labels, constant, teacher, regression=regression)
    baseline = _score(frame.labels, constant, answers)
    for name in ("labels", "confusion"):
        baseline.pop(name, None)
    return {
        "rows": len(frame),
        "records": len(frame.keys),
        "labels": answers.labels,
        "single_records": _count_single(frame) if answers.labels else 0,
        "columns": frame.columns,
        "teacher": _score(frame.labels, teacher, answers),
        "student": _score(frame.labels, student, answers),
        "baseline": baseline,
        "beats_baseline": rise < -error,
        "fidelity": _fidelity(teacher, student, answers),
        # Served predictions are compared with these counts to measure drift.
        "answers": dict(Counter(prediction_name(answer) for answer in teacher.tolist())),
    }


def _count_single(frame: Frame) -> int:
    """Return how many labels have rows of one record only, which is never held out in part."""
    pairs = set(zip(frame.labels.tolist(), frame.index.tolist(), strict=True))
    return sum(count == 1 for count in Counter(label for label, _ in pairs).values())


def loss_of(frame: Frame, answers: OutOfFold) -> float:
    """Return the loss by which a teacher is chosen: mean squared error, or minus macro-F1."""
    score = _score(frame.labels, _ordered(frame, answers, "teacher"), answers)
    return float(score["mse"] if "mse" in score else -score["macro"]["f1"])


def _ordered(frame: Frame, answers: OutOfFold, model: str) -> Array:
    """Return the answers of teacher or student in the order of the frame's rows."""
    by_key = answers.answers(model)
    ordered: Array = np.array([by_key[key] for key in frame.keys])[frame.index]
    return ordered


def _constant(frame: Frame, answers: OutOfFold) -> Array:
    """Return the baseline's answers: the mean or the most frequent label for every row."""
    if not answers.labels:
        return np.full(len(frame), frame.labels.mean())
    names, counts = np.unique(frame.labels, return_counts=True)
    return np.full(len(frame), names[counts.argmax()])


def _score(truth: Array, predictions: Array, answers: OutOfFold) -> Report:
    if not answers.labels:
        return regression_report(truth, predictions)
    # A file to evaluate on may hold labels that the model does not know.
    return classification_report(truth, predictions, sorted({*answers.labels, *truth.tolist()}))


def _fidelity(teacher: Array, student: Array, answers: OutOfFold) -> float:
    """Return the share of rows with equal answers, or R² of the student against the teacher."""
    if answers.labels:
        return float(np.mean(teacher == student))
    return float(regression_report(teacher, student)["r2"])


def format_report(name: str, metrics: Report) -> list[str]:
    """Return the report as lines of text."""
    columns = ", ".join(metrics["columns"])
    estimator = metrics["estimator"]
    lines = [
        f"{name}: {_rows(metrics)}, teacher {estimator} reads {columns}",
        *(f"  {model:<8} {_line(metrics[model])}" for model in ("teacher", "student", "baseline")),
        f"  student agrees with teacher: {metrics['fidelity']:.3f}",
    ]
    for label, score in metrics["teacher"].get("labels", {}).items():
        lines.append(
            f"  {label:<24} precision {score['precision']:.3f}  recall {score['recall']:.3f}"
            f"  F1 {score['f1']:.3f}  of {score['rows']:,}"
        )
    if metrics.get("not_covering"):
        lines.append(
            f"  not read, because some labelled rows lack it: {', '.join(metrics['not_covering'])};"
            f" run python -m enrich once, then train again"
        )
    explained = metrics["teacher"].get("r2", 1.0)
    if metrics["beats_baseline"] and explained < LOW_R2:
        lines.append(
            f"  these fields explain only {explained:.0%} of the variance of {metrics['target']};"
            f" add fields that determine it"
        )
    if metrics.get("single_records"):
        lines.append(
            f"  {metrics['single_records']:,} of {len(metrics['labels']):,} labels have rows of one"
            f" record only: while it is held out, nothing can answer them"
        )
    if metrics["teacher"].get("r2", metrics["teacher"].get("accuracy", 0.0)) >= ALMOST_PERFECT:
        lines.append(
            f"  almost perfect: check whether a column is known only after {metrics['target']} is"
        )
    if not metrics["beats_baseline"]:
        constant = "the most frequent label" if metrics["labels"] else "the mean"
        lines.append(
            f"  the model does not beat always answering {constant}:"
            f" these fields say little or nothing about {metrics['target']}"
        )
    return lines


def _rows(metrics: Report) -> str:
    """Return how many rows there are, and of how many records if that differs."""
    # Versions of a model from before rows were counted have no number of records.
    rows, records = metrics["rows"], metrics.get("records", metrics["rows"])
    return f"{rows:,} labelled rows" + (f" of {records:,} records" if records != rows else "")


def _line(score: Report) -> str:
    if "mse" in score:
        return f"R² {score['r2']:.3f}  MSE {score['mse']:,.4g}  RMSE {score['rmse']:,.4g}"
    macro, micro = score["macro"], score["micro"]
    return (
        f"accuracy {score['accuracy']:.3f}  macro-F1 {macro['f1']:.3f}  micro-F1 {micro['f1']:.3f}"
        f"  macro precision {macro['precision']:.3f}  recall {macro['recall']:.3f}"
    )
