"""The upkeep of models: which version is in use, and when a new one is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.errors import EnricherError, UnknownModel
from db.queue.run import is_running
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, all_datasets, find_dataset, set_plan
from db.records.enrichment import covers_labels
from db.records.model import Model, activate_model, active_model, all_models, find_model
from db.records.record import count_labels
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.store.engine import Store
from enrich.enrichers.base import find_enrichers

from .analysis_due import analysis_due, has_grown
from .plan import make_plan

FEWEST_LABELS = 20


@dataclass(frozen=True)
class Due:
    """A command that is due for a dataset, and why."""

    command: str
    dataset: str
    reason: str


def due_subcommands(store: Store, settings: Settings) -> list[Due]:
    """Return what is due, but for what another worker is at."""
    due = []
    with store.reading() as connection:
        for dataset in all_datasets(connection):
            if not _is_usable(dataset, settings):
                # What is wrong with it is told when its plan is made.
                continue
            for command, find_reason in (("survey", analysis_due), ("train", training_due)):
                if is_running(connection, dataset.id, command):
                    continue
                reason = find_reason(connection, dataset, settings)
                if reason:
                    due.append(Due(command, dataset.name, reason))
    return due


def due_analyses_of(store: Store, settings: Settings, names: Sequence[str]) -> list[str]:
    """Return which of these datasets should be surveyed before they are enriched."""
    with store.reading() as connection:
        found = [find_dataset(connection, name) for name in names]
        usable = [one for one in found if _is_usable(one, settings)]
        return [one.name for one in usable if analysis_due(connection, one, settings)]


def _is_usable(dataset: Dataset, settings: Settings) -> bool:
    try:
        make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
    except EnricherError:
        return False
    return True


def lost_reads(model: Model, spec: DatasetSpec) -> str:
    """Return which enrichers a model reads that its spec no longer names, "" if there are none.

    Without them its teacher can predict nothing.
    """
    return ", ".join(sorted(model.reads.keys() - spec.enrichers.keys()))


def use_model(store: Store, name: str, version: int, settings: Settings) -> None:
    """Put a version into use; every prediction of another is stale from then on."""
    with store.writing() as connection:
        dataset = find_dataset(connection, name)
        lost = lost_reads(find_model(connection, dataset, version), dataset.spec)
        if lost:
            raise UnknownModel(f"{name}@{version}: reads {lost}, which the spec no longer names")
        activate_model(connection, dataset, version)
        refresh_plan(connection, dataset, settings)


def refresh_plan(connection: Connection, dataset: Dataset, settings: Settings) -> Dataset:
    """Say in the store what this code's enrichers are, and the active model's prediction."""
    model = active_model(connection, dataset.id)
    analyses = all_analyses(connection, dataset.id)
    enrichers = find_enrichers(dataset.spec, settings.code_paths)
    return set_plan(connection, dataset, make_plan(dataset, model, enrichers, analyses))


def training_due(connection: Connection, dataset: Dataset, settings: Settings) -> str:
    """Return why a new model is due, or "" where none is.

    It is when an enrichment has come to cover all labelled records, or labels have grown by a
    tenth, or an enricher that it reads is gone, since the newest version was trained; whether that
    one came into use does not matter.
    """
    labels = count_labels(connection, dataset.id)
    if labels < FEWEST_LABELS:
        return ""
    newest = next(iter(all_models(connection, dataset.id)), None)
    if newest is None:
        return "there is no model yet"
    if has_grown(newest.metrics["rows"], labels):
        return f"labels have grown to {labels:,}"
    lost = lost_reads(newest, dataset.spec)
    if lost:
        return f"the teacher reads {lost}, which the spec no longer names"
    changed = {
        step.name: step.fingerprint
        for step in make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
        if newest.metrics["covering"].get(step.name) != step.fingerprint
    }
    covering = covers_labels(connection, dataset.id, changed)
    return f"{', '.join(covering)} covers all labelled records" if covering else ""
