"""Portraits: a dataset's model in the figures that its training gave, its examples, its history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from db.records.model import Model, active_model, newest_models
from db.records.record import some_inputs
from db.spec.field import Inputs
from serve.prediction.catalog import Served

MOST_VERSIONS = 12
MOST_EXAMPLES = 4
# A larger matrix is no picture any more; what is confused most is told instead.
MOST_MATRIX_LABELS = 16
MOST_CONFUSIONS = 12


@dataclass(frozen=True)
class ModelCard:
    """What changes only when somebody trains, loads or imports."""

    model: Model | None
    versions: list[Model]
    examples: list[Inputs]
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The labels that the model knows, in the order of the confusion matrix."""
        return list(self.metrics.get("teacher", {}).get("labels", {}))

    @property
    def matrix(self) -> list[list[int]]:
        """How often each label, a row, was answered by each, a column; empty where it is too large.

        By the teacher, out of fold.
        """
        confusion: list[list[int]] = self.metrics.get("teacher", {}).get("confusion", [])
        return confusion if len(confusion) <= MOST_MATRIX_LABELS else []

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """The label, the answer in its place and how often, the commonest first."""
        labels = self.labels
        pairs = [
            (label, labels[at], count)
            for label, row in zip(labels, self.metrics["teacher"]["confusion"], strict=True)
            for at, count in enumerate(row)
            if count and labels[at] != label
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:MOST_CONFUSIONS]


def make_model_card(connection: Connection, served: Served) -> ModelCard:
    """Read a portrait."""
    model = active_model(connection, served.id)
    return ModelCard(
        model,
        newest_models(connection, served.id, MOST_VERSIONS),
        _examples(connection, served),
        model.metrics if model else {},
    )


def _examples(connection: Connection, served: Served) -> list[Inputs]:
    """Return the spec's example and some of the records that are there."""
    examples = [served.spec.example_inputs(), *some_inputs(connection, served.id, MOST_EXAMPLES)]
    return [one for at, one in enumerate(examples) if one not in examples[:at]][:MOST_EXAMPLES]
