"""Model cards: a dataset's active model with its metrics, and examples of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from db.records.models.trained_model import Model, active_model
from db.records.record import first_labelled_inputs
from db.spec.field import Inputs
from serve.prediction.catalog import Served

from .verdict import Verdict, verdict_of

MOST_EXAMPLES = 4
# Of so many labelled rows those are shown that are like the rows of training.
MOST_LOOKED_AT = 20


@dataclass(frozen=True)
class ModelCard:
    """The part of a dataset's panel that changes only when data is imported or a model trained."""

    model: Model | None
    examples: list[Inputs]
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def in_short(self) -> Verdict:
        """How good the model is, in a few words."""
        return verdict_of(self.metrics)


def make_model_card(connection: Connection, served: Served, *, shows_rows: bool) -> ModelCard:
    """Read the model card of a dataset; without `shows_rows`, its only example is the spec's."""
    model = active_model(connection, served.id)
    examples = _examples(connection, served, MOST_LOOKED_AT if shows_rows else 0)
    return ModelCard(model, examples, model.metrics if model else {})


def _examples(connection: Connection, served: Served, rows: int) -> list[Inputs]:
    """Return the spec's example and the inputs of some labelled rows, without duplicates.

    Inputs that clients have asked for are no examples: anybody may have written them. Nor are
    those that get a warning, if there are others.
    """
    examples = [served.spec.example_inputs(), *first_labelled_inputs(connection, served.id, rows)]
    distinct = [it for at, it in enumerate(examples) if it not in examples[:at]]
    return usual_examples(served, distinct)[:MOST_EXAMPLES]


def usual_examples(served: Served, examples: list[Inputs]) -> list[Inputs]:
    """Return the examples that get no warning; all of them if each gets one."""
    if served.student is None:
        return examples
    return [it for it in examples if not served.student.warnings(it)] or examples
