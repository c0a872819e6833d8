"""Look-ups that the worker does itself, in the store: a reference table, an analysis.

The compute child has no connection to the store, and findings of a whole dataset would travel to it
only to be looked up there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from db.errors import EnricherError
from db.records.analysis import all_analyses, read_findings
from db.records.record import Record, slices
from db.store.dialect import is_unreachable
from db.store.store import error_reason
from enrich.executors.base import RecipeError

from .bisect import RecordOutcome, RecordValue
from .step import StepRun

# Each match is a bound value, of which SQLite accepts some thousand in a statement.
ROWS_AT_ONCE = 100


def each_table_row(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield what a reference table says of each record; raises RecipeError."""
    code = step_run.make_code()
    for some in slices(stale, ROWS_AT_ONCE):
        check()
        try:
            with step_run.context.store.reading() as connection:
                values = code.look_up(connection, step_run.rows(some))
        except SQLAlchemyError as error:
            if is_unreachable(error) and not isinstance(error, ProgrammingError):
                raise
            raise RecipeError(f"{step_run.step.name}: {error_reason(error)}") from error
        except EnricherError as error:
            raise RecipeError(f"{step_run.step.name}: {error}") from error
        yield from (RecordValue(one, value) for one, value in zip(some, values, strict=True))


def each_finding(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield what the newest analysis found of each record; None where it found nothing."""
    check()
    findings = step_run.context.findings.get(
        step_run.planned.dataset.id, step_run.step, lambda: _read_findings(step_run)
    )
    yield from (RecordValue(one, findings.get(one.key.hex())) for one in stale)


def _read_findings(step_run: StepRun) -> dict[str, Any]:
    dataset_id, enricher = step_run.planned.dataset.id, step_run.step.name
    with step_run.context.store.reading() as connection:
        newest = all_analyses(connection, dataset_id)[enricher]
        stored = read_findings(connection, dataset_id, enricher, newest.number)
    findings: dict[str, Any] = msgspec.json.decode(stored or b"{}")
    return findings
