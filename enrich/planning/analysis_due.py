"""When an analysis of a whole dataset is due.

The basis of an analysis is what it was made from: the model, such as "intents@3", whose answers it
used, or numbers of records, such as "1810 records" or "1810 records, 1640 labelled".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.records.analysis import Analysis, all_analyses
from db.records.dataset import Dataset
from db.records.enrichment import count_vectors
from db.records.models.trained_model import active_model, model_name
from db.records.record import count_labelled, count_records
from db.settings import Settings

from .plan import PlannedAnalysis, planned_analyses


@dataclass(frozen=True)
class DueAnalysis:
    """An analysis that is due, why, and the newest one that there is."""

    planned: PlannedAnalysis
    reason: str
    newest: Analysis | None


def has_grown(before: int, now: int) -> bool:
    """Return True if a number has grown by at least a tenth."""
    return 10 * now >= 11 * before


def analysis_due(connection: Connection, dataset: Dataset, settings: Settings) -> str:
    """Return why analyses of a dataset are due, "" if none is."""
    due = due_analyses(connection, dataset, settings)
    return "; ".join(f"{one.planned.enricher.name}: {one.reason}" for one in due)


def due_analyses(connection: Connection, dataset: Dataset, settings: Settings) -> list[DueAnalysis]:
    """Return the analyses that are due."""
    analyses = all_analyses(connection, dataset.id)
    due = []
    for planned in planned_analyses(dataset, analyses, settings.code_paths):
        newest = analyses.get(planned.enricher.name)
        reason = _reason(connection, dataset, planned, newest)
        if reason:
            due.append(DueAnalysis(planned, reason, newest))
    return due


def _reason(
    connection: Connection, dataset: Dataset, planned: PlannedAnalysis, newest: Analysis | None
) -> str:
    is_other = newest is not None and newest.fingerprint != planned.fingerprint
    if newest is not None and not is_other and _is_settled(connection, dataset, planned, newest):
        return ""
    basis = find_basis(connection, dataset, planned)
    if basis is None:
        return ""
    if newest is None:
        return "there is no analysis yet"
    if is_other:
        return "its version or configuration, or what it reads, has changed"
    return f"now {basis}" if _has_changed(newest.basis, basis) else ""


def _is_settled(
    connection: Connection, dataset: Dataset, planned: PlannedAnalysis, newest: Analysis
) -> bool:
    """Return True if there are too few records for the vectors to have grown by a tenth.

    The database counts records in an index, and needs much longer to count vectors.
    """
    if planned.enricher.kind != "vectors":
        return False
    most = [count_records(connection, dataset.id), count_labelled(connection, dataset.id)]
    return not _any_has_grown(_numbers(newest.basis), most)


def find_basis(connection: Connection, dataset: Dataset, planned: PlannedAnalysis) -> str | None:
    """Return the basis of an analysis made now, None if there is nothing to analyse yet."""
    if planned.enricher.kind == "answers":
        model = active_model(connection, dataset.id)
        return None if model is None else model_name(dataset, model.version)
    if planned.enricher.kind == "vectors":
        [(enricher, fingerprint)] = planned.reads.items()
        records, labelled = count_vectors(connection, dataset.id, enricher, fingerprint)
        return f"{records} records, {labelled} labelled" if labelled else None
    records = count_records(connection, dataset.id)
    return f"{records} records" if records else None


def _has_changed(before: str, now: str) -> bool:
    """Return True if a basis is another model, or if one of its numbers of records has grown."""
    if not _numbers(now):
        return before != now
    return _any_has_grown(_numbers(before), _numbers(now))


def _numbers(basis: str) -> list[int]:
    """Return the numbers of records in a basis, none if it is a model."""
    return [int(number) for number in re.findall(r"(\d+) (?:records|labelled)", basis)]


def _any_has_grown(before: Sequence[int], now: Sequence[int]) -> bool:
    return any(map(has_grown, before, now))
