"""Calls to other people's services: each once, within a rate and a budget that all share."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, delete, select, update

from .dialect import insert, lease_clock, wall_seconds
from .table import meter, record, response

DAY_SECONDS = 86_400.0
# A slot further away is not waited for: others may have better things to do meanwhile.
MOST_WAIT_SECONDS = 1.0
MOST_CALLS = 100


@dataclass(frozen=True)
class Terms:
    """What an enricher may spend; each call may take that many tries, which all count."""

    tries: int
    hold_seconds: float
    calls_per_second: float | None = None
    budget_calls: int | None = None
    budget_days: float = 30.0


@dataclass(frozen=True)
class Granted:
    """Which of the wanted calls are answered already, and which the asker must make now.

    `others` are being made by somebody else. `wait_seconds` is until the first of mine may be
    made. `postponed_seconds` and `reason` say when to ask again where nothing may be made yet.
    """

    answers: dict[str, str] = field(default_factory=dict)
    mine: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()
    wait_seconds: float = 0.0
    postponed_seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class _Meter:
    """A meter as it is now: what was spent in this period, and when the next call may be made."""

    calls: int
    period_at: float
    next_call: float


def grant_calls(
    connection: Connection,
    dataset_id: int,
    enricher: str,
    wanted: Mapping[str, int],
    terms: Terms,
) -> Granted:
    """Say which calls to make, and charge for them; `wanted` maps a request's hash to a record."""
    now = connection.execute(select(lease_clock(connection)[0])).scalar_one()
    wall = wall_seconds(connection)
    state = _locked_meter(connection, dataset_id, enricher, terms, now, wall)
    answers, others = _known(connection, wanted, now)
    missing = [one for one in wanted if one not in answers and one not in others]
    mine, reason, postponed = _affordable(missing, state, terms, now, wall)
    mine = _hold(connection, mine, wanted, now + terms.hold_seconds)
    _charge(connection, dataset_id, enricher, state, len(mine), terms)
    return Granted(
        answers=answers,
        mine=tuple(mine),
        others=frozenset(others),
        wait_seconds=state.next_call - now if mine else 0.0,
        postponed_seconds=postponed,
        reason=reason,
    )


def _locked_meter(
    connection: Connection,
    dataset_id: int,
    enricher: str,
    terms: Terms,
    now: float,
    wall: float,
) -> _Meter:
    fresh = insert(connection, meter).values(
        dataset_id=dataset_id, enricher=enricher, period_at=wall
    )
    connection.execute(fresh.on_conflict_do_nothing())
    mine = (meter.c.dataset_id == dataset_id, meter.c.enricher == enricher)
    row = connection.execute(select(meter).where(*mine).with_for_update()).one()
    is_over = wall - row.period_at >= terms.budget_days * DAY_SECONDS
    is_same_boot = row.next_boot == lease_clock(connection)[1]
    return _Meter(
        calls=0 if is_over else row.calls,
        period_at=wall if is_over else row.period_at,
        next_call=max(row.next_call, now) if is_same_boot else now,
    )


def _known(
    connection: Connection, wanted: Collection[str], now: float
) -> tuple[dict[str, str], set[str]]:
    """Return the answers that are there, and what others are asking."""
    boot = lease_clock(connection)[1]
    rows: Sequence[Row[tuple[object, ...]]] = connection.execute(
        select(response).where(response.c.hash.in_(wanted))
    ).all()
    answers = {row.hash: row.text for row in rows if row.text is not None}
    others = {
        row.hash
        for row in rows
        if row.text is None and row.held_boot == boot and row.held_until > now
    }
    return answers, others


def _affordable(
    missing: list[str], state: _Meter, terms: Terms, now: float, wall: float
) -> tuple[list[str], str, float]:
    """Return as many calls as rate and budget allow now, else why none and for how long."""
    if not missing:
        return [], "", 0.0
    count = MOST_CALLS
    if terms.budget_calls is not None:
        count = min(count, (terms.budget_calls - state.calls) // terms.tries)
        if count <= 0:
            left = state.period_at + terms.budget_days * DAY_SECONDS - wall
            return [], f"its budget of {terms.budget_calls:,} calls is spent", max(left, 1.0)
    if terms.calls_per_second is not None:
        wait = state.next_call - now
        if wait > MOST_WAIT_SECONDS:
            return [], f"its rate of {terms.calls_per_second:g} calls a second is used up", wait
        count = min(count, 1 + int((MOST_WAIT_SECONDS - wait) * terms.calls_per_second))
    return missing[:count], "", 0.0


def _hold(
    connection: Connection, hashes: Collection[str], wanted: Mapping[str, int], until: float
) -> list[str]:
    """Note that these calls are being made; a record erased meanwhile needs none."""
    if not hashes:
        return []
    ids = {wanted[one] for one in hashes}
    here = (
        select(record.c.id).where(record.c.id.in_(ids)).with_for_update(read=True, key_share=True)
    )
    still = set(connection.execute(here).scalars())
    boot = lease_clock(connection)[1]
    rows = [
        {
            "hash": one,
            "record_id": wanted[one],
            "held_until": until,
            "held_boot": boot,
            "made_at": time.time(),
        }
        for one in hashes
        if wanted[one] in still
    ]
    if rows:
        statement = insert(connection, response)
        new = {name: statement.excluded[name] for name in rows[0] if name != "hash"}
        connection.execute(statement.on_conflict_do_update(index_elements=["hash"], set_=new), rows)
    return [str(row["hash"]) for row in rows]


def _charge(
    connection: Connection, dataset_id: int, enricher: str, state: _Meter, count: int, terms: Terms
) -> None:
    gap = count / terms.calls_per_second if terms.calls_per_second else 0.0
    connection.execute(
        update(meter)
        .where(meter.c.dataset_id == dataset_id, meter.c.enricher == enricher)
        .values(
            calls=state.calls + count * terms.tries,
            period_at=state.period_at,
            next_call=state.next_call + gap,
            next_boot=lease_clock(connection)[1],
        )
    )


def settle_calls(
    connection: Connection,
    dataset_id: int,
    enricher: str,
    answers: Mapping[str, str],
    released: Collection[str],
    unused: int,
) -> None:
    """Keep the answers, let others ask what had none, and give back the tries not needed."""
    for asked, text in answers.items():
        connection.execute(
            update(response)
            .where(response.c.hash == asked)
            .values(text=text, held_until=None, held_boot=None, made_at=time.time())
        )
    if released:
        connection.execute(
            delete(response).where(response.c.hash.in_(released), response.c.text.is_(None))
        )
    mine = (meter.c.dataset_id == dataset_id, meter.c.enricher == enricher, meter.c.calls >= unused)
    connection.execute(update(meter).where(*mine).values(calls=meter.c.calls - unused))


def spent_calls(connection: Connection, dataset_id: int) -> dict[str, int]:
    """Return how many calls each enricher has spent in its period."""
    query = select(meter.c.enricher, meter.c.calls).where(meter.c.dataset_id == dataset_id)
    return {row.enricher: row.calls for row in connection.execute(query)}
