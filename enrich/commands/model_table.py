"""The table of a model's versions, as `enrich models` prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any

from db.cli.terminal.table import Column, format_table
from db.records.dataset import Dataset
from db.records.models.trained_model import Model, model_name

_NAME, _STATE, _READS = Column("model"), Column("state"), Column("reads")


def format_models(dataset: Dataset, versions: Sequence[Model], stream: IO[str]) -> list[str]:
    """Return the lines of a table of versions with the scores of teacher and student."""
    measures = _measures(versions)
    scores = [
        Column(f"{kind} {measure}", is_number=True)
        for kind in ("teacher", "student")
        for measure in measures
    ]
    rows = [_row(dataset, model, measures) for model in versions]
    return format_table([_NAME, _STATE, *scores, _READS], rows, stream)


def _row(dataset: Dataset, model: Model, measures: Sequence[str]) -> list[str]:
    state = "active" if model.active else "kept" if model.kept else "metrics only"
    scores = [
        _score(model.metrics[kind], measure)
        for kind in ("teacher", "student")
        for measure in measures
    ]
    reads = ", ".join(model.reads) or "no enrichments"
    return [model_name(dataset, model.version), state, *scores, reads]


def _measures(versions: Sequence[Model]) -> list[str]:
    """Return what the versions are measured by; the kind of a dataset may have changed."""
    are_numbers = {"mse" in model.metrics["teacher"] for model in versions}
    return [
        *(["accuracy", "macro-F1"] if False in are_numbers else []),
        *(["R²", "RMSE"] if True in are_numbers else []),
    ]


def _score(score: Mapping[str, Any], measure: str) -> str:
    """Return a score, "" where the model is of the other kind."""
    if ("mse" in score) != (measure in {"R²", "RMSE"}):
        return ""
    values = {
        "R²": lambda: f"{score['r2']:.3f}",
        "RMSE": lambda: f"{score['rmse']:,.4g}",
        "accuracy": lambda: f"{score['accuracy']:.3f}",
        "macro-F1": lambda: f"{score['macro']['f1']:.3f}",
    }
    return values[measure]()
