"""How far labelling has come: labels since the last training, and what is still to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from db.labels.label_queue import count_queue, count_uncertain, known_labels
from db.labels.queue_scan import Order
from db.labels.record_label import count_labels_given
from db.records.dataset import Dataset
from db.records.models.trained_model import model_name, newest_models

# Counting further takes longer and tells nobody more.
MOST_COUNTED = 1000
MOST_KNOWN_LABELS = 200
# A new model is worth its training after a tenth of the rows that the last one learned from.
RETRAIN_SHARE = 0.1
FEWEST_TO_RETRAIN, MOST_TO_RETRAIN = 10, 50
KEPT_SECONDS = 5.0
MOST_KEPT = 200

T = TypeVar("T")


@dataclass(frozen=True)
class LabelProgress:
    """The labels given since a model was trained, and after how many the next one is worth it.

    `model` is "" before the first training.
    """

    model: str
    given: int
    goal: int


@dataclass(frozen=True)
class QueueCounts:
    """How many records of an order wait, at most MOST_COUNTED + 1, and the labels that there are.

    `uncertain` counts those whose answer is uncertain, in the order of uncertainty alone.
    """

    waiting: int
    uncertain: int
    labels: tuple[str, ...]


def retrain_goal(rows: int) -> int:
    """Return after how many labels to train again, if the last model learned from these rows."""
    return min(max(round(RETRAIN_SHARE * rows), FEWEST_TO_RETRAIN), MOST_TO_RETRAIN)


def read_progress(connection: Connection, dataset: Dataset) -> LabelProgress:
    """Count the labels that people have given since the newest version was trained."""
    newest = next(iter(newest_models(connection, dataset.id, 1)), None)
    return LabelProgress(
        model=model_name(dataset, newest.version) if newest else "",
        given=count_labels_given(connection, dataset.id, newest.made_at if newest else 0.0),
        goal=retrain_goal(newest.metrics.get("rows", 0) if newest else 0),
    )


def count_waiting(connection: Connection, dataset: Dataset, order: Order) -> QueueCounts:
    """Count the records of an order, within bounds."""
    is_open = dataset.spec.kind == "classification" and not dataset.spec.labels
    labels = known_labels(connection, dataset.id, MOST_KNOWN_LABELS) if is_open else []
    return QueueCounts(
        waiting=count_queue(connection, dataset, order, MOST_COUNTED + 1),
        uncertain=count_uncertain(connection, dataset, MOST_COUNTED) if order == "uncertain" else 0,
        labels=tuple(labels),
    )


class ShortMemory(Generic[T]):
    """Keeps values for some seconds, so that many open pages cost no more than one."""

    def __init__(self, seconds: float = KEPT_SECONDS) -> None:
        self._seconds = seconds
        self._kept: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value that is kept under a key, or make it."""
        now = time.monotonic()
        found = self._kept.get(key)
        if found is not None and now < found[0]:
            return found[1]
        value = make()
        if len(self._kept) >= MOST_KEPT:
            self._kept = {}
        self._kept[key] = (now + self._seconds, value)
        return value

    def forget(self, key: Hashable) -> None:
        """Forget a value that has changed."""
        self._kept.pop(key, None)
