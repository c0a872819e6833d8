"""The run that trained a version: how long it took, and why it was activated or was not."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.records.dataset import Dataset
from db.records.models.trained_model import model_name
from db.store import tables


@dataclass(frozen=True)
class TrainingRun:
    """How long a training took, and the reason for activating its version or not."""

    seconds: float
    reason: str


def find_training_run(connection: Connection, dataset: Dataset, version: int) -> TrainingRun | None:
    """Return the run that trained a version, None if it is no longer known."""
    columns = tables.run.c
    # The outcome of a training is the name of the version and the reason.
    beginning = f"{model_name(dataset, version)}: "
    query = (
        select(columns.started_at, columns.ended_at, columns.outcome)
        .where(
            columns.dataset_id == dataset.id,
            columns.command == "train",
            columns.ended_at.isnot(None),
            columns.outcome.startswith(beginning, autoescape=True),
        )
        .order_by(columns.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    seconds = max(row.ended_at - row.started_at, 0.0)
    return TrainingRun(seconds, row.outcome.removeprefix(beginning))
