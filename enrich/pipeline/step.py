"""Jobs: one step on one chunk, whatever its values are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.errors import EnricherError
from db.queue.chunk import Chunk
from db.records.analysis import all_analyses, read_findings
from db.records.dataset import Dataset, PlanStep
from db.records.model import Model, model_name, read_student, read_teacher
from db.records.record import Record
from db.spec.dataset_spec import encode_spec
from enrich.enrichers.base import Enricher, find_enricher
from enrich.executors.base import RecipeError
from enrich.executors.recipe import KEY, EnricherRecipe, FindingsRecipe, PredictionRecipe, Recipe
from enrich.planning.plan import PREDICTION

from .batch_size import MicroBatch
from .bisect import BisectingRunner, RecordOutcome
from .context import WorkerContext


@dataclass(frozen=True)
class ChunkTask:
    """A chunk to work on, under its dataset's plan and model."""

    dataset: Dataset
    model: Model | None
    chunk: Chunk


@dataclass
class StepRun:
    """A step on a task; `values` holds each record's fields and enrichments by the record's id."""

    context: WorkerContext
    task: ChunkTask
    step: PlanStep
    values: dict[int, dict[str, Any]]
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        spec, code_paths = self.task.dataset.spec, self.context.settings.code_paths
        self.enricher: Enricher | None = None
        if self.step.name == PREDICTION:
            self.reads: Sequence[str] = [*spec.fields, *self.step.reads]
        else:
            self.enricher = find_enricher(spec, self.step.name, code_paths)
            self.reads = self.enricher.reads

    def make(self) -> Any:  # noqa: ANN401
        """Return the enricher's code, for steps that this process computes itself."""
        try:
            return self.enricher.make() if self.enricher else None
        except EnricherError as error:
            raise RecipeError(f"{self.step.name}: {error}") from error

    def rows(self, some: Sequence[Record]) -> list[dict[str, Any]]:
        """Return what the step reads of each record."""
        if self.enricher is not None and self.enricher.kind == "set":
            return [{KEY: one.key.hex()} for one in some]
        return [{name: self.values[one.id][name] for name in self.reads} for one in some]

    def compute(self, some: Sequence[Record]) -> list[Any]:
        """Return a value for each record, and note how long that took."""
        done = self.context.executor.compute(self.step.fingerprint, self._recipe, self.rows(some))
        self.seconds += done.seconds
        return done.values

    def _recipe(self) -> Recipe:
        spec, code_paths = encode_spec(self.task.dataset.spec), self.context.settings.code_paths
        if self.enricher is None:
            return self._prediction_recipe(spec, code_paths)
        if self.enricher.kind == "set":
            return FindingsRecipe(self._findings())
        return EnricherRecipe(spec, self.step.name, code_paths)

    def _prediction_recipe(self, spec: str, code_paths: tuple[str, ...]) -> Recipe:
        found, model = self.task.dataset, self.task.model
        if model is None:
            raise EnricherError(f"{found.name}: there is no active model to predict with")
        with self.context.store.reading() as connection:
            teacher, student = read_teacher(connection, model), read_student(connection, model)
        name = model_name(found, model.version)
        return PredictionRecipe(spec, name, model.metrics["columns"], teacher, student, code_paths)

    def _findings(self) -> bytes:
        with self.context.store.reading() as connection:
            newest = all_analyses(connection, self.task.dataset.id)[self.step.name]
            return read_findings(connection, self.task.dataset.id, self.step.name, newest.number)


def each_outcome(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield an outcome for each record, computed in batches that take about a second."""
    batch = step_run.context.batches.setdefault(step_run.step.fingerprint, MicroBatch())
    # A teacher may be unable to take what an enricher has become; the next one is.
    is_prediction = step_run.step.name == PREDICTION
    runner = BisectingRunner(step_run.step.name, step_run.compute, may_refuse_all=is_prediction)
    start = 0
    while start < len(stale):
        check()
        some = stale[start : start + batch.rows]
        before = step_run.seconds
        yield from runner.run(some)
        batch.measure(len(some), step_run.seconds - before)
        start += len(some)
