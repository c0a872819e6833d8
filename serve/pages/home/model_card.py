"""Model cards: a dataset's active model with its metrics and history, and examples of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from db.records.record import first_labelled_inputs
from db.records.trained_model import Model, active_model, newest_models
from db.spec.field import Inputs
from serve.prediction.catalog import Served

MOST_VERSIONS = 12
MOST_EXAMPLES = 4
# A larger matrix cannot be read; the page then lists the most frequent confusions instead.
MOST_MATRIX_LABELS = 16
MOST_CONFUSIONS = 12


@dataclass(frozen=True)
class ModelCard:
    """The part of a dataset's panel that changes only when data is imported or a model trained."""

    model: Model | None
    versions: list[Model]
    examples: list[Inputs]
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """A sentence that says how good the model is; "" if it was trained before there was one."""
        return str(self.metrics.get("verdict", ""))

    @property
    def labels(self) -> list[str]:
        """The labels that the model knows, in the order of the confusion matrix."""
        return list(self.metrics.get("teacher", {}).get("labels", {}))

    @property
    def matrix(self) -> list[list[int]]:
        """The teacher's out-of-fold confusion matrix, or [] if it is too large to show.

        One row for each true label, one column for each predicted label.
        """
        confusion: list[list[int]] = self.metrics.get("teacher", {}).get("confusion", [])
        return confusion if len(confusion) <= MOST_MATRIX_LABELS else []

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """The most frequent confusions: true label, predicted label, and count."""
        labels = self.labels
        pairs = [
            (label, labels[at], count)
            for label, row in zip(labels, self.metrics["teacher"]["confusion"], strict=True)
            for at, count in enumerate(row)
            if count and labels[at] != label
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:MOST_CONFUSIONS]


def make_model_card(connection: Connection, served: Served, *, shows_rows: bool) -> ModelCard:
    """Read the model card of a dataset; without `shows_rows`, its only example is the spec's."""
    model = active_model(connection, served.id)
    return ModelCard(
        model,
        newest_models(connection, served.id, MOST_VERSIONS),
        _examples(connection, served, MOST_EXAMPLES if shows_rows else 0),
        model.metrics if model else {},
    )


def _examples(connection: Connection, served: Served, rows: int) -> list[Inputs]:
    """Return the spec's example and the inputs of some labelled rows, without duplicates.

    Inputs that clients have asked for are no examples: anybody may have written them.
    """
    examples = [served.spec.example_inputs(), *first_labelled_inputs(connection, served.id, rows)]
    return [it for at, it in enumerate(examples) if it not in examples[:at]][:MOST_EXAMPLES]
