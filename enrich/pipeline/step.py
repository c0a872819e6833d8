"""The run of one step of the plan on the records of one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.errors import EnricherError
from db.queue.chunk import Chunk
from db.queue.fault import step_subject
from db.records.dataset import Dataset, PlanStep
from db.records.models.trained_model import Model, model_name, read_student, read_teacher
from db.records.prediction import has_predictions
from db.records.record import Record
from db.spec.dataset_spec import PREDICTION
from db.spec.stored_spec import encode_spec
from enrich.enrichers.base import Enricher, Unavailable
from enrich.executors.base import RecipeError
from enrich.executors.recipe import EnricherRecipe, PredictionRecipe, Recipe

from .batch_size import MicroBatch
from .bisect import BisectingRunner, RecordOutcome
from .context import WorkerContext


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset with its plan, and the model and enrichers that the plan was made with."""

    dataset: Dataset
    model: Model | None
    enrichers: Mapping[str, Enricher]


@dataclass(frozen=True)
class ChunkTask:
    """A leased chunk to work on."""

    planned: PlannedDataset
    chunk: Chunk


@dataclass
class StepRun:
    """A step on a chunk; `values` holds each record's fields and enrichments, by record id."""

    context: WorkerContext
    planned: PlannedDataset
    step: PlanStep
    values: dict[int, dict[str, Any]]
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.name = self.step.name
        self.enricher = self.planned.enrichers.get(self.name)
        self.reads: Sequence[str] = (
            self.enricher.reads
            if self.enricher
            else [*self.planned.dataset.spec.fields, *self.step.reads]
        )
        self.listing_column = self.enricher.listing_column if self.enricher else ""

    def make_code(self) -> Any:  # noqa: ANN401
        """Return the enricher's code, for steps that this process computes itself."""
        try:
            return self.enricher.make() if self.enricher else None
        except EnricherError as error:
            raise RecipeError(f"{self.step.name}: {error}") from error

    def rows(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """Return what the step reads of each record."""
        return [{name: self.values[one.id][name] for name in self.reads} for one in records]

    @property
    def is_model(self) -> bool:
        """Whether the step predicts with the dataset's model."""
        return self.step.name == PREDICTION

    def compute(self, records: Sequence[Record]) -> list[Any]:
        """Return a value for each record, and add up the time that it took."""
        rows = self.rows(records)
        values = self._compute_rows(rows)
        self.context.good_rows[self.step.fingerprint] = rows[-1]
        return values

    def works_now(self) -> bool | None:
        """Return whether a row that had a value still gets one, None if none had."""
        good_row = self.context.good_rows.get(self.step.fingerprint)
        if good_row is None:
            return None
        try:
            self._compute_rows([good_row])
        except Unavailable:
            raise
        except EnricherError:
            return False
        return True

    def has_known_fault(self) -> bool:
        """Return whether the store has a fault of the step, which any worker may have met."""
        known = self.context.known_faults
        return (self.planned.dataset.name, step_subject(self.step.name)) in known

    def has_worked(self) -> bool:
        """Return whether the store has a prediction of this model."""
        with self.context.store.reading() as connection:
            return has_predictions(connection, self.planned.dataset.id, self.step.fingerprint)

    def _compute_rows(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        done = self.context.executor.compute(self.step.fingerprint, self._recipe, rows)
        self.seconds += done.seconds
        return done.values

    def _recipe(self) -> Recipe:
        spec = encode_spec(self.planned.dataset.spec)
        code_paths = self.context.settings.code_paths
        if self.enricher is None:
            return self._prediction_recipe(spec, code_paths)
        return EnricherRecipe(spec, self.step.name, code_paths)

    def _prediction_recipe(self, spec: str, code_paths: tuple[str, ...]) -> Recipe:
        dataset, model = self.planned.dataset, self.planned.model
        if model is None:
            raise RecipeError(f"{dataset.name}: there is no active model to predict with")
        with self.context.store.reading() as connection:
            teacher, student = read_teacher(connection, model), read_student(connection, model)
        name = model_name(dataset, model.version)
        return PredictionRecipe(spec, name, model.metrics["columns"], teacher, student, code_paths)


def each_outcome(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield an outcome for each record, computed in batches that take about a second."""
    batch = step_run.context.batches.setdefault(step_run.step.fingerprint, MicroBatch())
    runner = BisectingRunner(step_run)
    start = 0
    while start < len(stale):
        check()
        some = stale[start : start + batch.rows]
        before = step_run.seconds
        try:
            yield from runner.run(some)
        except RecipeError:
            # The next try needs one record to show whether the step works.
            batch.rows = 1
            raise
        batch.measure(len(some), step_run.seconds - before)
        start += len(some)
    yield from runner.finish()
