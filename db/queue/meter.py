"""Meters: what each enricher of a dataset has used in its budget period; all workers share them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, or_, select, update

from db.store import tables
from db.store.dialect import insert, lease_clock
from db.store.direct.clock import boot_id, wall_seconds

DAY_SECONDS = 86_400.0


class Tokens(NamedTuple):
    """The tokens that a language model has read and written."""

    prompt: int = 0
    answer: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """Return the sum of both."""
        return Tokens(self.prompt + other.prompt, self.answer + other.answer)


NO_TOKENS = Tokens()


@dataclass(frozen=True)
class Meter:
    """A locked meter, with the time on the lease clock and on the wall clock."""

    now: float
    boot: str
    calls: int
    reserved: int
    period_at: float
    # How long the period has lasted, and its beginning on the clock of a machine.
    period_seconds: float
    period_clock: str
    next_call: float


def lock_meter(
    connection: Connection, key: Mapping[str, Any], worker_id: int, budget_days: float
) -> Meter:
    """Lock the meter with this key, a dataset's id and an enricher; begin a period that is due."""
    clock, boot = lease_clock(connection)
    now = connection.execute(select(clock)).scalar_one()
    wall, ticks = wall_seconds(connection), time.clock_gettime(time.CLOCK_BOOTTIME)
    begins = format_clock(boot_id(), ticks, wall)
    new = insert(connection, tables.meter).values(**key, period_at=wall, period_clock=begins)
    connection.execute(new.on_conflict_do_nothing())
    row = connection.execute(select(tables.meter).filter_by(**key).with_for_update()).one()
    seconds = elapsed_seconds(row.period_at, row.period_clock, wall, boot_id(), ticks)
    is_over = seconds >= budget_days * DAY_SECONDS
    # A period that begins in the future was begun by a wrong clock: it lasts from now at most.
    is_new = is_over or seconds < 0
    if is_over:
        none = update(tables.meter).filter_by(**key).values(prompt_tokens=0, answer_tokens=0)
        connection.execute(none)
    lost = _delete_lost_grants(connection, key, worker_id, now, boot)
    return Meter(
        now=now,
        boot=boot,
        calls=lost + (0 if is_over else row.calls),
        # Reserved calls count in the new period too: it is not known when they are made.
        reserved=row.held - lost,
        period_at=wall if is_new else row.period_at,
        period_seconds=0.0 if is_new else seconds,
        period_clock=begins if is_new else row.period_clock,
        next_call=max(row.next_call, now) if row.next_boot == boot else now,
    )


def format_clock(boot: str, ticks: float, wall: float) -> str:
    """Return the beginning of a period by the clock of a machine, and by the wall clock."""
    return f"{boot} {ticks!r} {wall!r}"


def elapsed_seconds(
    period_at: float, period_clock: str, wall: float, boot: str, ticks: float
) -> float:
    """Return how long a period has lasted; negative where it begins in the future.

    `ticks` are seconds since the machine's boot, which nobody can set. They count on the machine
    that began the period and was not restarted since; elsewhere only the wall clock is known.
    """
    begun_boot, begun_ticks, begun_wall = [*period_clock.split(), "", "", ""][:3]
    # Code without this column may have begun the period.
    if begun_boot and begun_boot == boot and begun_wall == repr(period_at):
        return max(ticks - float(begun_ticks), 0.0)
    return wall - period_at


def _delete_lost_grants(
    connection: Connection, key: Mapping[str, Any], worker_id: int, now: float, boot: str
) -> int:
    """Delete the grants that will not be settled; return their calls, which may all have been made.

    A worker asks only while it makes no calls. So a grant that it still has is one whose reply
    never reached it.
    """
    is_lost = or_(
        tables.call_grant.c.held_boot != boot,
        tables.call_grant.c.held_until <= now,
        tables.call_grant.c.worker_id == worker_id,
    )
    lost = delete(tables.call_grant).filter_by(**key).where(is_lost)
    return sum(connection.execute(lost.returning(tables.call_grant.c.calls)).scalars())


def add_usage(
    connection: Connection, key: Mapping[str, Any], calls: int, reserved: int, tokens: Tokens
) -> None:
    """Count calls that were made and their tokens, and end the reservation that they had."""
    meter = tables.meter.c
    counts = {
        "calls": meter.calls + calls,
        "held": meter.held - reserved,
        "prompt_tokens": meter.prompt_tokens + tokens.prompt,
        "answer_tokens": meter.answer_tokens + tokens.answer,
    }
    connection.execute(update(tables.meter).filter_by(**key).values(**counts))


def spent_tokens(connection: Connection, dataset_id: int) -> dict[str, Tokens]:
    """Return the tokens that each enricher's calls have used in its budget period."""
    meter = tables.meter.c
    query = select(meter.enricher, meter.prompt_tokens, meter.answer_tokens)
    rows = connection.execute(query.where(meter.dataset_id == dataset_id))
    return {enricher: Tokens(*tokens) for enricher, *tokens in rows}
