"""Maintenance of datasets: activates versions of models, and finds analyses and training due."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from db.errors import EnricherError, UnknownModel
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, find_dataset, set_plan
from db.records.enrichment import enrichers_covering_labels
from db.records.observation import count_labels
from db.records.trained_model import Model, activate_model, active_model, all_models, find_model
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store
from enrich.enrichers.base import find_enrichers

from .analysis_due import analysis_due, has_grown
from .plan import make_plan

# No model is trained on fewer labelled records.
FEWEST_LABELS = 20


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


def lost_reads(model: Model, spec: DatasetSpec) -> str:
    """Return the enrichers that a model reads but its spec no longer names, separated by commas.

    Without their values the teacher cannot predict.
    """
    return ", ".join(sorted(model.reads.keys() - spec.enrichers.keys()))


def use_model(store: Store, name: str, version: int, settings: Settings) -> None:
    """Activate a version of a model, which makes the predictions of every other version stale.

    Raises UnknownModel if there is no such version or it reads an enricher that is gone.
    """
    with store.writing() as connection:
        dataset = find_dataset(connection, name)
        lost = lost_reads(find_model(connection, dataset, version), dataset.spec)
        if lost:
            raise UnknownModel(f"{name}@{version}: reads {lost}, which the spec no longer names")
        activate_model(connection, dataset, version)
        refresh_plan(connection, dataset, settings)


def refresh_plan(connection: Connection, dataset: Dataset, settings: Settings) -> Dataset:
    """Write a dataset's plan to the store, as the code and the active model now determine it."""
    model = active_model(connection, dataset.id)
    analyses = all_analyses(connection, dataset.id)
    enrichers = find_enrichers(dataset.spec, settings.code_paths)
    return set_plan(connection, dataset, make_plan(dataset, model, enrichers, analyses))


def training_due(connection: Connection, dataset: Dataset, settings: Settings) -> str:
    """Return why training is due, "" if it is not.

    It is due if, since the newest version was trained, labels have grown by a tenth, an enricher
    that it reads is gone, or another enricher has come to cover all labelled records. It does not
    matter whether the newest version is active.
    """
    labels = count_labels(connection, dataset.id)
    if labels < FEWEST_LABELS:
        return ""
    newest = next(iter(all_models(connection, dataset.id)), None)
    if newest is None:
        return "there is no model yet"
    if has_grown(newest.metrics.get("all_rows", newest.metrics["rows"]), labels):
        return f"labels have grown to {labels:,}"
    lost = lost_reads(newest, dataset.spec)
    if lost:
        return f"the teacher reads {lost}, which the spec no longer names"
    changed = {
        step.name: step.fingerprint
        for step in make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
        if newest.metrics["covering"].get(step.name) != step.fingerprint
    }
    covering = enrichers_covering_labels(connection, dataset.id, changed)
    return f"{', '.join(covering)} covers all labelled records" if covering else ""
