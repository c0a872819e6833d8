"""Look-ups in a reference table of the store, done by the worker itself: its child knows none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from db.errors import EnricherError
from db.records.record import Record, slices
from db.store.dialect import is_out_of_reach
from db.store.engine import reason
from enrich.executors.base import RecipeError

from .bisect import RecordOutcome, RecordValue
from .step import StepRun

# Each match is a bound value, of which SQLite takes some thousand a statement.
ROWS_AT_ONCE = 100


def each_look_up(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield what the table says of each record; raises RecipeError where it cannot be asked."""
    code = step_run.make()
    for some in slices(stale, ROWS_AT_ONCE):
        check()
        try:
            with step_run.context.store.reading() as connection:
                values = code.look_up(connection, step_run.rows(some))
        except SQLAlchemyError as error:
            if is_out_of_reach(error) and not isinstance(error, ProgrammingError):
                raise
            raise RecipeError(f"{step_run.step.name}: {reason(error)}") from error
        except EnricherError as error:
            raise RecipeError(f"{step_run.step.name}: {error}") from error
        yield from (RecordValue(one, value) for one, value in zip(some, values, strict=True))
