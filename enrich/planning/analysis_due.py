"""The basis of a survey: what a look at a whole set is told by, and when that has changed."""

from __future__ import annotations

from sqlalchemy import Connection

from db.records.analysis import Analysis, all_analyses
from db.records.dataset import Dataset
from db.records.model import active_model, model_name
from db.records.record import count_records
from db.settings import Settings
from enrich.enrichers.base import Enricher

from .plan import analysis_enrichers, stamp_alone


def has_grown(before: int, now: int) -> bool:
    """Tell whether there are a tenth more, so that another look is worth it."""
    return 10 * now >= 11 * before


def analysis_due(connection: Connection, dataset: Dataset, settings: Settings) -> str:
    """Return why a dataset should be surveyed, or "" where nothing has changed much."""
    reasons = [
        f"{one.name}: {reason}" for one, reason in due_analyses(connection, dataset, settings)
    ]
    return "; ".join(reasons)


def due_analyses(
    connection: Connection, dataset: Dataset, settings: Settings
) -> list[tuple[Enricher, str]]:
    """Return the enrichers whose survey is due, and why."""
    analyses = all_analyses(connection, dataset.id)
    each = (
        (one, _reason(connection, dataset, one, analyses.get(one.name), settings))
        for one in analysis_enrichers(dataset, settings.code_paths)
    )
    return [(one, reason) for one, reason in each if reason]


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
        return "there is no survey yet"
    if newest.fingerprint != stamp_alone(dataset, enricher.name, settings.code_paths):
        return "it works in another way by now"
    return "" if newest.basis == basis or not _has_grown(newest.basis, basis) else f"now {basis}"


def find_basis(connection: Connection, dataset: Dataset, enricher: Enricher) -> str | None:
    """Return what a survey made now would be told by, None where there is nothing yet."""
    if enricher.kind == "answers":
        model = active_model(connection, dataset.id)
        return None if model is None else model_name(dataset, model.version)
    records = count_records(connection, dataset.id)
    return f"{records} records" if records else None


def _has_grown(before: str, now: str) -> bool:
    """Tell whether a basis is another one, or one of so many more records."""
    if not now.endswith(" records"):
        return before != now
    return has_grown(int(before.split(" ", 1)[0]), int(now.split(" ", 1)[0]))
