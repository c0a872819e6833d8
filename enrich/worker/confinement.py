"""Confinement: a dataset that fails as a whole rests, longer each time, while the others go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.queue.chunk_wait import wait_for_chunk
from db.queue.fault import CHUNK, PLAN, Fault, backoff_seconds, step_subject
from db.queue.run_history import error_words
from db.records.dataset import Dataset
from db.spec.dataset_spec import PREDICTION
from db.store.dialect import is_unreachable
from enrich.executors.base import Stopped, Suspended
from enrich.pipeline.context import WorkerContext
from enrich.pipeline.step import PlannedDataset
from enrich.pipeline.work_chunk import LOG

log = logging.getLogger("veilleuse.worker")


@dataclass(frozen=True)
class Rest:
    """How long a dataset is left alone, on the monotonic clock, after so many failed tries."""

    until: float
    tries: int


class Confinement:
    """The faults of datasets that a worker has met."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._rests: dict[int, Rest] = {}
        # Datasets with a fault in this pass.
        self._faulty: set[int] = set()

    def begin_pass(self) -> None:
        """Forget which datasets had a fault in the pass before; those that rest go on resting."""
        self._faulty.clear()

    def refresh(self, faults: Iterable[Fault]) -> None:
        """Take over the faults in the store, which may be cleared here."""
        self._context.known_faults = {(one.dataset, one.subject) for one in faults}

    def without_resting(self, datasets: Iterable[Dataset]) -> list[Dataset]:
        """Return the datasets that are not to be left alone now."""
        return [dataset for dataset in datasets if not self._rests_now(dataset)]

    def _rests_now(self, dataset: Dataset) -> bool:
        rest = self._rests.get(dataset.id)
        return rest is not None and time.monotonic() < rest.until

    def note_fault(self, dataset: Dataset) -> None:
        """Note that a dataset has a fault, so that a command does not wait for its records."""
        self._faulty.add(dataset.id)

    def is_faulty(self, dataset: Dataset) -> bool:
        """Return whether a dataset had a fault in this pass."""
        return dataset.id in self._faulty

    def confine(self, dataset: Dataset, subject: str, error: Exception) -> None:
        """Let a dataset rest after an error; raise the error if it is not the dataset's."""
        is_lost = isinstance(error, SQLAlchemyError) and is_unreachable(error)
        if is_lost or isinstance(error, Stopped | Suspended):
            raise error
        if not isinstance(error, VeilleuseError | SQLAlchemyError):
            log.error("%s of %s", subject, dataset.name, exc_info=error)
        before = self._rests.get(dataset.id)
        tries = before.tries + 1 if before else 1
        seconds = backoff_seconds(tries)
        self._rests[dataset.id] = Rest(time.monotonic() + seconds, tries)
        self._faulty.add(dataset.id)
        self._context.record_fault(dataset, subject, error_words(error, LOG), seconds)

    def note_plan(self, planned: PlannedDataset) -> None:
        """Clear the faults of a dataset's plan, and those of steps that it no longer has."""
        dataset = planned.dataset
        self._context.clear_fault(dataset, PLAN)
        self._forget_steps(dataset, [*planned.enrichers, *(one.name for one in dataset.plan)])

    def _forget_steps(self, dataset: Dataset, steps: Iterable[str]) -> None:
        kept = {step_subject(name) for name in steps}
        for name, subject in list(self._context.known_faults):
            is_step = subject == PREDICTION or subject.startswith(step_subject(""))
            if name == dataset.name and is_step and subject not in kept:
                self._context.clear_fault(dataset, subject)

    def forget_done(self, datasets: Iterable[Dataset]) -> None:
        """Clear the faults of datasets that have no record left to work on."""
        named = {name for name, _ in self._context.known_faults}
        for dataset in datasets:
            if dataset.name not in named or self._rests_now(dataset) or self.is_faulty(dataset):
                continue
            with self._context.store.reading() as connection:
                is_done = wait_for_chunk(connection, [dataset.id]) is None
            if is_done:
                self.release(dataset)
                self._forget_steps(dataset, ())

    def release(self, dataset: Dataset) -> None:
        """Forget the failed tries of a dataset that works."""
        self._rests.pop(dataset.id, None)
        self._context.clear_fault(dataset, CHUNK)
