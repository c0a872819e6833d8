"""The plans of datasets: what a worker is to compute, under which model and by which code."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from db.queue.fault import PLAN, read_faults
from db.queue.workers.worker_registry import count_workers
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, PlanStep, all_datasets, find_dataset, set_plan
from db.records.models.trained_model import active_model
from db.store.generation import read_generation
from enrich.enrichers.base import find_enrichers
from enrich.pipeline.context import WorkerContext
from enrich.pipeline.model_check import check_model
from enrich.pipeline.step import PlannedDataset
from enrich.planning.due_command import OnError
from enrich.planning.plan import make_plan

from .confinement import Confinement


class DatasetPlans:
    """The plans that a worker has made, which it keeps until the generation rises."""

    def __init__(self, context: WorkerContext, confinement: Confinement) -> None:
        self._context = context
        self._confinement = confinement
        self._own_plans: dict[int, tuple[PlanStep, ...]] = {}
        self._planned: list[PlannedDataset] | None = None
        self._planned_generation = -1

    def forget(self) -> None:
        """Have all plans made again."""
        self._planned = None

    def read(self, names: Collection[str], on_error: OnError) -> list[PlannedDataset]:
        """Return the datasets to work on with their plans, in the same order in every worker.

        Plans are made once in a pass, and again where the generation has risen: a spec was loaded,
        a model activated or an analysis made.
        """
        with self._context.store.reading() as connection:
            generation = read_generation(connection)
            if self._planned is not None and generation == self._planned_generation:
                return self._planned
            datasets = all_datasets(connection)
            for name in set(names) - {one.name for one in datasets}:
                find_dataset(connection, name)
            self._confinement.refresh(read_faults(connection))
        named = [one for one in datasets if not names or one.name in names]
        wanted = self._confinement.without_resting(named)
        planned = [self._try_plan(one, on_error) for one in wanted]
        self._planned_generation = generation
        self._planned = sorted(
            (one for one in planned if one is not None and one.dataset.plan),
            key=lambda one: one.dataset.id,
        )
        return self._planned

    def _try_plan(self, dataset: Dataset, on_error: OnError) -> PlannedDataset | None:
        try:
            planned = self._plan(dataset)
        except Exception as error:  # noqa: BLE001  one dataset must not stop the others
            self._confinement.confine(dataset, PLAN, error)
            on_error(dataset.name, error)
            return None
        if planned is not None:
            self._confinement.note_plan(planned)
        return planned

    def _plan(self, dataset: Dataset) -> PlannedDataset | None:
        """Return a dataset under this code's plan, None where another version's is in force.

        When two versions of the code run side by side, the one that started last decides: each
        sets its plan when it starts, when the plan changes for it too, or when it is alone.
        """
        with self._context.store.reading() as connection:
            model = active_model(connection, dataset.id)
            analyses = all_analyses(connection, dataset.id)
        model_use = check_model(self._context, dataset, model)
        if model_use == "left to others":
            return None
        model = model if model_use == "usable" else None
        enrichers = find_enrichers(dataset.spec, self._context.settings.code_paths)
        plan = make_plan(dataset, model, enrichers, analyses)
        if plan != dataset.plan:
            if self._own_plans.get(dataset.id) == plan and not self._is_alone():
                return None
            dataset = self._context.write(partial(set_plan, dataset=dataset, plan=plan))
        self._own_plans[dataset.id] = plan
        return PlannedDataset(dataset, model, enrichers)

    def _is_alone(self) -> bool:
        with self._context.store.reading() as connection:
            return count_workers(connection) <= 1
