"""The report on a model: its answers compared with the labels and with a constant answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.scoring.interval import Interval
from db.traffic.prediction_counts import prediction_name
from enrich.learning.training_table import Frame

from .calibration import calibration_error
from .conformal import coverage_of, ends_of, fit_interval, held_out_coverage
from .metrics import (
    Report,
    classification_report,
    loss_rise,
    positions_of,
    regression_report,
)
from .out_of_fold import ModelKind, OutOfFold, losses_of
from .rare_labels import find_thresholds

Array: TypeAlias = npt.NDArray[Any]
Intervals: TypeAlias = Mapping[ModelKind, Interval | None]

# A difference of so many standard errors is chance in one of forty tables.
ERRORS_OF_CHANCE = 2.0


def report_on(frame: Frame, answers: OutOfFold, intervals: Intervals | None = None) -> Report:
    """Return the metrics of teacher, student and baseline, and the fidelity of the student.

    They count rows, of which a record may have several. The baseline answers the share of each
    label, of which the largest is its prediction, or the mean, for every row. If `intervals` is
    None, those of each half of the rows are fitted on the other half.
    """
    teacher, student = (_ordered(frame, answers, model) for model in ("teacher", "student"))
    constant = _constant(frame, answers)
    # Only numbers have intervals.
    held: Intervals | None = {} if answers.labels else intervals
    old, new = (losses_of(rows, frame.labels, answers.labels) for rows in (constant, teacher))
    rise, error = loss_rise(old, new, frame.index)
    baseline = _score(frame.labels, constant, answers)
    for name in ("labels", "confusion"):
        baseline.pop(name, None)
    report: Report = {
        "rows": len(frame),
        "records": len(frame.keys),
        "labels": answers.labels,
        "single_records": _count_single(frame) if answers.labels else 0,
        "columns": frame.columns,
        "teacher": _score(frame.labels, teacher, answers)
        | _score_interval(frame.labels, teacher, held, "teacher"),
        "student": _score(frame.labels, student, answers)
        | _score_interval(frame.labels, student, held, "student"),
        "baseline": baseline,
        "beats_baseline": rise < -ERRORS_OF_CHANCE * error,
        "fidelity": _fidelity(answers.named(teacher), answers.named(student), answers),
        "rare_labels": find_thresholds(
            teacher, positions_of(frame.labels, answers.labels), answers.labels
        )
        if answers.labels
        else {},
        # Served predictions are compared with these counts to measure drift.
        "answers": _count_answers(answers.named(teacher)),
    }
    return {**report, "verdict": verdict(report)}


def _count_answers(answers: Array) -> dict[str, int]:
    return dict(Counter(prediction_name(answer) for answer in answers.tolist()))


def _count_single(frame: Frame) -> int:
    """Return how many labels have rows of one record only, which is never held out in part."""
    pairs = set(zip(frame.labels.tolist(), frame.index.tolist(), strict=True))
    return sum(count == 1 for count in Counter(label for label, _ in pairs).values())


def _ordered(frame: Frame, answers: OutOfFold, model: ModelKind) -> Array:
    """Return the answers of teacher or student, one for each of the frame's rows."""
    places = {key: place for place, key in enumerate(answers.split_keys())}
    order = np.array([places[key] for key in frame.keys])
    ordered: Array = answers.rows(model)[order[frame.index]]
    return ordered


def _constant(frame: Frame, answers: OutOfFold) -> Array:
    """Return the baseline's answers: the mean or the shares of the labels for every row."""
    if not answers.labels:
        return np.full((len(frame), 1), frame.labels.mean())
    known = positions_of(frame.labels, answers.labels)
    counts = np.bincount(known[known >= 0], minlength=len(answers.labels))
    return np.tile(counts / max(counts.sum(), 1), (len(frame), 1))


def _score(truth: Array, rows: Array, answers: OutOfFold) -> Report:
    predictions = answers.named(rows)
    if not answers.labels:
        return regression_report(truth, predictions)
    known = positions_of(truth, answers.labels)
    # A file to evaluate on may hold labels that the model does not know.
    names = sorted({*answers.labels, *truth.tolist()})
    return classification_report(truth, predictions, names) | {
        "log_loss": float(losses_of(rows, truth, answers.labels).mean()),
        "calibration_error": calibration_error(rows, known),
    }


def _score_interval(
    truth: Array, rows: Array, intervals: Intervals | None, model: ModelKind
) -> Report:
    """Return how good the intervals of a model are; nothing if it has none."""
    predictions = rows[:, 0]
    if intervals is None:
        interval, coverage = (
            fit_interval(predictions, truth),
            held_out_coverage(predictions, truth),
        )
    else:
        found = intervals.get(model)
        if found is None:
            return {}
        interval, coverage = found, coverage_of(found, predictions, truth)
    low, high = ends_of(interval, predictions)
    return {"coverage": coverage, "interval_width": float(np.median(high - low))}


def _fidelity(teacher: Array, student: Array, answers: OutOfFold) -> float:
    """Return the share of rows with equal answers, or R² of the student against the teacher."""
    if answers.labels:
        return float(np.mean(teacher == student))
    return float(regression_report(teacher, student)["r2"])


def verdict(metrics: Report) -> str:
    """Return one sentence that says how good a model is, compared with a constant answer."""
    teacher, baseline = metrics["teacher"], metrics["baseline"]
    if metrics["labels"]:
        measured = (
            f"{teacher['accuracy']:.0%} of its answers are right; the most frequent label is right"
            f" for {baseline['accuracy']:.0%}"
        )
    else:
        measured = (
            f"it is wrong by {teacher['mae']:.4g} on average; the mean of all rows by"
            f" {baseline['mae']:.4g}"
        )
    if metrics["beats_baseline"]:
        return f"{measured}: better than a constant answer, by more than chance"
    return f"{measured}: not better than a constant answer by more than chance"
