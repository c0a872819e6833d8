"""Maintenance of datasets: activates versions of models, and finds analyses and training due."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from db.errors import EnricherError
from db.queue.coverage import lacks_new_labelled
from db.queue.fault import CHUNK, PLAN, read_faults, step_subject
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, find_dataset, set_plan
from db.records.enrichment import enrichers_covering_labels
from db.records.models.trained_model import Model, active_model, newest_models
from db.records.observation import count_labels
from db.settings import Settings
from db.spec.dataset_spec import PREDICTION
from db.store.direct.clock import wall_seconds
from db.store.store import Store
from db.versions.activation import activate_version, lost_reads
from enrich.enrichers.base import find_enrichers

from .analysis_due import analysis_due, has_grown
from .model_versions import other_versions_due
from .plan import make_plan

# No model is trained on fewer labelled records.
FEWEST_LABELS = 20
# How long after a training the next one waits for an enricher that covers all records once more.
COVERED_AGAIN_SECONDS = 3600.0
# A model of this many versions may have read it before.
RECENT_MODELS = 10


def due_analyses_of(store: Store, settings: Settings, names: Sequence[str]) -> list[str]:
    """Return the names of those datasets that have an analysis due."""
    with store.reading() as connection:
        datasets = [find_dataset(connection, name) for name in names]
        usable = [dataset for dataset in datasets if is_usable(dataset, settings)]
        return [dataset.name for dataset in usable if analysis_due(connection, dataset, settings)]


def is_usable(dataset: Dataset, settings: Settings) -> bool:
    """Return True if the dataset's enrichers can be found and ordered."""
    try:
        make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
    except EnricherError:
        return False
    return True


def use_model(store: Store, name: str, version: int, settings: Settings) -> None:
    """Activate a version of a model, which makes the predictions of every other version stale.

    Raises UnknownModel if there is no such version or it reads an enricher that is gone.
    """

    def use(connection: Connection) -> None:
        dataset = find_dataset(connection, name)
        activate_version(connection, dataset, version)
        refresh_plan(connection, dataset, settings)

    # Repeated if the store ends it because of a training of another version of the code.
    store.write(use)


def refresh_plan(connection: Connection, dataset: Dataset, settings: Settings) -> Dataset:
    """Write a dataset's plan to the store, as the code and the active model now determine it."""
    model = active_model(connection, dataset.id)
    analyses = all_analyses(connection, dataset.id)
    enrichers = find_enrichers(dataset.spec, settings.code_paths)
    return set_plan(connection, dataset, make_plan(dataset, model, enrichers, analyses))


def training_due(connection: Connection, dataset: Dataset, settings: Settings) -> str:
    """Return why training is due, "" if it is not.

    It is due if, since the newest version was trained, labels have grown by a tenth and the
    enrichers that it reads have come to cover them, or an enricher
    that it reads is gone, or another enricher has come to cover all labelled records (for the first
    time, or an hour ago), whether or not the newest version is active; or if no worker has
    libraries that can use the active one.
    """
    labels = count_labels(connection, dataset.id)
    if labels < FEWEST_LABELS:
        return ""
    models = newest_models(connection, dataset.id, RECENT_MODELS)
    if not models:
        return "there is no model yet"
    newest = models[0]
    grown = has_grown(newest.metrics.get("all_rows", newest.metrics["rows"]), labels)
    if grown and not _awaited(connection, dataset, newest):
        return f"labels have grown to {labels:,}"
    if other_versions := other_versions_due(connection, dataset):
        return other_versions
    if problem := _problem(connection, dataset, newest):
        return problem
    covering = _newly_covering(connection, dataset, models, settings)
    return f"{', '.join(covering)} covers all labelled records" if covering else ""


def _awaited(connection: Connection, dataset: Dataset, newest: Model) -> bool:
    """Return True if enrichers that the newest model reads will soon cover all labelled records.

    Without them, the next model would do without what the enrichers know. What is stopped by a
    fault is not waited for, nor are the enrichers that read it.
    """
    stopped = {fault.subject for fault in read_faults(connection, dataset.id)}
    if stopped & {PLAN, CHUNK}:
        return False
    working: set[str] = set()
    for step in dataset.plan:
        if step_subject(step.name) not in stopped and working >= set(step.reads):
            working.add(step.name)
    return any(
        lacks_new_labelled(connection, dataset.id, step.name, step.fingerprint)
        for step in dataset.plan
        if step.name in working & newest.reads.keys()
    )


def _newly_covering(
    connection: Connection, dataset: Dataset, models: Sequence[Model], settings: Settings
) -> list[str]:
    """Return the enrichers that cover all labelled records, and that the newest model lacks.

    One that a model had before must wait: while labelled rows keep coming, it covers all records
    again every few seconds.
    """
    rests = abs(wall_seconds(connection) - models[0].made_at) < COVERED_AGAIN_SECONDS
    known = models if rests else models[:1]
    changed = {
        step.name: step.fingerprint
        for step in make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
        if all(model.metrics["covering"].get(step.name) != step.fingerprint for model in known)
    }
    return enrichers_covering_labels(connection, dataset.id, changed)


def _problem(connection: Connection, dataset: Dataset, newest: Model) -> str:
    """Return why no model can predict, though one was trained; "" if one can."""
    for fault in read_faults(connection, dataset.id):
        if fault.subject == PREDICTION and fault.since >= newest.made_at:
            return f"its model fails: {fault.reason}"
    lost = lost_reads(newest, dataset.spec)
    return f"the teacher reads {lost}, which the spec no longer names" if lost else ""
