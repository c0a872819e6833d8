"""When an analysis of a whole dataset is due.

The basis of an analysis is what it was made from: the model, such as "intents@3", whose answers it
used, or the number of records, such as "1810 records".
"""

from __future__ import annotations

from sqlalchemy import Connection

from db.records.analysis import Analysis, all_analyses
from db.records.dataset import Dataset
from db.records.record import count_records
from db.records.trained_model import active_model, model_name
from db.settings import Settings
from enrich.enrichers.base import Enricher

from .plan import analysis_enrichers, stamp_alone


def has_grown(before: int, now: int) -> bool:
    """Return True if a number has grown by at least a tenth."""
    return 10 * now >= 11 * before


def analysis_due(connection: Connection, dataset: Dataset, settings: Settings) -> str:
    """Return why analyses of a dataset are due, "" if none is."""
    due = due_analyses(connection, dataset, settings)
    return "; ".join(f"{enricher.name}: {reason}" for enricher, reason in due)


def due_analyses(
    connection: Connection, dataset: Dataset, settings: Settings
) -> list[tuple[Enricher, str]]:
    """Return the enrichers whose analysis is due, each with the reason."""
    analyses = all_analyses(connection, dataset.id)
    reasons = (
        (enricher, _reason(connection, dataset, enricher, analyses.get(enricher.name), settings))
        for enricher in analysis_enrichers(dataset, settings.code_paths)
    )
    return [(enricher, reason) for enricher, reason in reasons if reason]


def _reason(
    connection: Connection,
    dataset: Dataset,
    enricher: Enricher,
    newest: Analysis | None,
    settings: Settings,
) -> str:
    basis = find_basis(connection, dataset, enricher)
    if basis is None:
        return ""
    if newest is None:
        return "there is no analysis yet"
    if newest.fingerprint != stamp_alone(dataset, enricher.name, settings.code_paths):
        return "its version or configuration has changed"
    return f"now {basis}" if _has_changed(newest.basis, basis) else ""


def find_basis(connection: Connection, dataset: Dataset, enricher: Enricher) -> str | None:
    """Return the basis of an analysis made now, None if there is nothing to analyse yet."""
    if enricher.kind == "answers":
        model = active_model(connection, dataset.id)
        return None if model is None else model_name(dataset, model.version)
    records = count_records(connection, dataset.id)
    return f"{records} records" if records else None


def _has_changed(before: str, now: str) -> bool:
    """Return True if a basis is another model, or if its number of records has grown."""
    if not now.endswith(" records"):
        return before != now
    return has_grown(int(before.split(" ", 1)[0]), int(now.split(" ", 1)[0]))
