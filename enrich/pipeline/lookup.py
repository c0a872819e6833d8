"""Look-ups on the worker's machine: in a reference table, and in an analysis.

The worker reads analyses itself: findings of a whole dataset would travel to the compute child only
to be looked up there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from db.errors import EnricherError
from db.records.analysis import all_analyses, read_findings
from db.records.encoded_inputs import slices
from db.records.record import Record
from db.spec.stored_spec import encode_spec
from enrich.enrichers.base import Unavailable
from enrich.executors.base import ChildDied, RecipeError
from enrich.executors.recipe import LookupRecipe

from .bisect import RecordOutcome, RecordValue
from .step import StepRun

# Each match is a bound value, of which SQLite accepts some thousand in a statement.
ROWS_AT_ONCE = 100


def each_table_row(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield what a reference table says of each record; raises RecipeError or Unavailable."""
    name, context = step_run.step.name, step_run.context
    step_run.make_code()
    for some in slices(stale, ROWS_AT_ONCE):
        check()
        try:
            # In the compute child, which yields to other work and can be ended at any moment.
            done = context.caller.compute(
                step_run.step.fingerprint, lambda: _recipe(step_run), step_run.rows(some)
            )
        except Unavailable as error:
            raise Unavailable(f"{name}: {error}", error.seconds) from error
        except ChildDied as error:
            raise Unavailable(f"{name}: {error}") from error
        except (EnricherError, RecipeError) as error:
            raise RecipeError(f"{name}: {error}") from error
        yield from (RecordValue(one, value) for one, value in zip(some, done.values, strict=True))


def _recipe(step_run: StepRun) -> LookupRecipe:
    settings = step_run.context.settings
    spec = encode_spec(step_run.planned.dataset.spec)
    return LookupRecipe(spec, step_run.step.name, settings.code_paths, settings.database_url)


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
