"""The report on a model in words, as commands print it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import IO

from db.cli.terminal.table import Column, format_table

from .metrics import Report

# If a regression explains less than this share of the variance, its report says so.
LOW_R2 = 0.3
# An accuracy or R² this high is seldom true of data that are known before the target is.
ALMOST_PERFECT = 0.999
# So many of the inputs that matter most are named.
MOST_NAMED = 5
# Everything below the first line is indented by so many spaces.
INDENT = 2


def format_report(name: str, metrics: Report, stream: IO[str] | None = None) -> list[str]:
    """Return the report as lines for a stream, by default standard output."""
    stream = stream or sys.stdout
    columns, estimator = ", ".join(metrics["columns"]), metrics["estimator"]
    lines = [
        f"{name}: {_rows(metrics)}, teacher {estimator} reads {columns}",
        *_score_table(metrics, stream),
        # Versions of a model from before there were verdicts have none.
        *([f"  {metrics['verdict']}"] if "verdict" in metrics else []),
        f"  {_student(metrics)}",
        *_important(metrics),
        *_label_table(metrics["teacher"].get("labels", {}), stream),
    ]
    return [*lines, *(f"  {remark}" for remark in _remarks(metrics))]


def _score_table(metrics: Report, stream: IO[str]) -> list[str]:
    cells = {model: _score_cells(metrics[model]) for model in ("teacher", "student", "baseline")}
    titles = list(cells["teacher"])
    columns = [Column("model"), *(Column(title, is_number=True) for title in titles)]
    rows = [[model, *(one.get(title, "") for title in titles)] for model, one in cells.items()]
    return format_table(columns, rows, stream, INDENT)


def _label_table(labels: Report, stream: IO[str]) -> list[str]:
    """Return a table of the teacher's scores by label; nothing for a regression."""
    titles = ("precision", "recall", "F1", "rows")
    columns = [Column("label"), *(Column(title, is_number=True) for title in titles)]
    rows = [
        (label, *(f"{one[name]:.3f}" for name in ("precision", "recall", "f1")), f"{one['rows']:,}")
        for label, one in labels.items()
    ]
    return format_table(columns, rows, stream, INDENT) if rows else []


def _student(metrics: Report) -> str:
    if metrics.get("student_is_teacher"):
        return "the student is the teacher itself: each first answer is the teacher's"
    return f"the student agrees with the teacher: {metrics['fidelity']:.3f}"


def _important(metrics: Report) -> Iterator[str]:
    # Versions of a model from before importance was measured have none.
    shares = list(metrics.get("importance", {}).items())[:MOST_NAMED]
    if shares:
        named = ", ".join(f"{name} {share:.0%}" for name, share in shares)
        yield f"  what moves the answers most: {named}"


def _remarks(metrics: Report) -> Iterator[str]:
    teacher, target = metrics["teacher"], metrics["target"]
    if metrics.get("sample"):
        yield f"trained on a fair sample of {metrics['sample']:,} records"
    if metrics.get("not_covering"):
        yield (
            f"not read, because some labelled rows lack it: {', '.join(metrics['not_covering'])};"
            f" run python -m enrich once, then train again"
        )
    # Versions of a model from before they were counted have none.
    for enricher, count in metrics.get("unread_values", {}).items():
        yield (
            f"{count:,} values of {enricher} count as missing: they are of another kind than most"
            f" of its values, or numbers beyond 1e100"
        )
    if metrics["beats_baseline"] and teacher.get("r2", 1.0) < LOW_R2:
        yield (
            f"these fields explain only {teacher['r2']:.0%} of the variance of {target};"
            f" add fields that determine it"
        )
    if metrics.get("single_records"):
        yield (
            f"{metrics['single_records']:,} of {len(metrics['labels']):,} labels have rows of one"
            f" record only: while it is held out, nothing can answer them"
        )
    for label, found in metrics.get("rare_labels", {}).items():
        yield (
            f"{label} is rare; act on it from a probability of {found['threshold']:.2f}"
            f" on to find {found['recall']:.0%} of it, and be right in {found['precision']:.0%}"
        )
    if teacher.get("r2", teacher.get("accuracy", 0.0)) >= ALMOST_PERFECT:
        yield f"almost perfect: check whether a column is known only after {target} is"
    if not metrics["beats_baseline"]:
        constant = "the most frequent label" if metrics["labels"] else "the mean"
        yield (
            f"the model does not beat always answering {constant}:"
            f" these fields say little or nothing about {target}"
        )


def _rows(metrics: Report) -> str:
    """Return how many rows there are, and of how many records if that differs."""
    # Versions of a model from before rows were counted have no number of records.
    rows, records = metrics["rows"], metrics.get("records", metrics["rows"])
    return f"{rows:,} labelled rows" + (f" of {records:,} records" if records != rows else "")


def _score_cells(score: Report) -> dict[str, str]:
    """Return the cells of a model's scores by their titles."""
    if "mse" in score:
        figures = {"R²": f"{score['r2']:.3f}", "RMSE": f"{score['rmse']:,.4g}"}
        figures["MAE"] = f"{score.get('mae', 0):,.4g}"
        held = {"within interval": f"{score['coverage']:.0%}"} if "coverage" in score else {}
        return figures | held
    macro = score["macro"]
    figures = {
        "accuracy": score["accuracy"],
        "macro-F1": macro["f1"],
        "macro precision": macro["precision"],
        "macro recall": macro["recall"],
        # Versions of a model from before probabilities were measured have neither.
        **{
            name.replace("_", " "): score[name]
            for name in ("log_loss", "calibration_error")
            if name in score
        },
    }
    return {name: f"{value:.3f}" for name, value in figures.items()}
