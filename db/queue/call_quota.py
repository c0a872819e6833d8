"""Calls to other people's services: each once, within a rate and a budget that all share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, delete, or_, select, update

from db.store import tables
from db.store.dialect import insert, lease_clock, wall_seconds

DAY_SECONDS = 86_400.0
# A slot further away is not waited for: others may have better things to do meanwhile.
MOST_WAIT_SECONDS = 1.0
# While what is left of a budget is granted to others, who may give some of it back.
HELD_SECONDS = 3.0


@dataclass(frozen=True)
class Caller:
    """Who asks: an enricher of a dataset, which has a meter, through a worker."""

    dataset_id: int
    enricher: str
    worker_id: int


@dataclass(frozen=True)
class Quota:
    """What an enricher may spend; each call may take that many tries, which all count."""

    tries: int
    hold_seconds: float
    most_calls: int = 50
    calls_per_second: float | None = None
    budget_calls: int | None = None
    budget_days: float = 30.0


@dataclass(frozen=True)
class Grant:
    """Which of the wanted calls are answered already, and which the asker must make now.

    `others` are being made by somebody else, `gone` belong to records that were erased.
    `wait_seconds` is until the first of mine may be made. `postponed_seconds` and `reason` say
    when to ask again where nothing may be made yet.
    """

    token: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    mine: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    wait_seconds: float = 0.0
    postponed_seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class _Meter:
    """A meter as it is now, by the store's two clocks."""

    now: float
    boot: str
    wall: float
    calls: int
    held: int
    period_at: float
    next_call: float


@dataclass(frozen=True)
class _Known:
    """What the store knows of the wanted calls."""

    answers: dict[str, str]
    others: frozenset[str]


def grant_calls(
    connection: Connection, caller: Caller, wanted: Mapping[str, int], quota: Quota
) -> Grant:
    """Say which calls to make, and charge for them; `wanted` maps a request's hash to a record."""
    state = _locked_meter(connection, caller, quota)
    known = _find_known(connection, caller, wanted, state)
    missing = [one for one in wanted if one not in known.answers and one not in known.others]
    chosen, reason, postponed = _affordable(missing, state, quota)
    here = _still_there(connection, {wanted[one] for one in missing})
    gone = frozenset(one for one in missing if wanted[one] not in here)
    token = secrets.token_hex(16)
    held = {one: wanted[one] for one in sorted(chosen) if one not in gone}
    mine = _hold(connection, caller, token, held, state, quota)
    _charge(connection, caller, token, state, quota, len(mine))
    return Grant(
        token=token,
        answers=known.answers,
        mine=tuple(mine),
        others=known.others,
        gone=gone,
        wait_seconds=state.next_call - state.now if mine else 0.0,
        postponed_seconds=postponed,
        reason=reason,
    )


def _locked_meter(connection: Connection, caller: Caller, quota: Quota) -> _Meter:
    clock, boot = lease_clock(connection)
    now = connection.execute(select(clock)).scalar_one()
    wall = wall_seconds(connection)
    mine = {"dataset_id": caller.dataset_id, "enricher": caller.enricher}
    fresh = insert(connection, tables.meter).values(**mine, period_at=wall)
    connection.execute(fresh.on_conflict_do_nothing())
    row = connection.execute(select(tables.meter).filter_by(**mine).with_for_update()).one()
    is_over = wall - row.period_at >= quota.budget_days * DAY_SECONDS
    lost = _lost_calls(connection, caller, now, boot)
    return _Meter(
        now=now,
        boot=boot,
        wall=wall,
        calls=lost + (0 if is_over else row.calls),
        # What is being called now counts in the new period too: nobody knows when it is made.
        held=row.held - lost,
        period_at=wall if is_over else row.period_at,
        next_call=max(row.next_call, now) if row.next_boot == boot else now,
    )


def _lost_calls(connection: Connection, caller: Caller, now: float, boot: str) -> int:
    """Take back what nobody will settle; returns its calls, which may all have been made.

    A worker asks when it makes no call: what it seems to hold then it has not heard of.
    """
    is_lost = or_(
        tables.call_grant.c.held_boot != boot,
        tables.call_grant.c.held_until <= now,
        tables.call_grant.c.worker_id == caller.worker_id,
    )
    mine = delete(tables.call_grant).filter_by(
        dataset_id=caller.dataset_id, enricher=caller.enricher
    )
    lost = connection.execute(mine.where(is_lost).returning(tables.call_grant.c.calls))
    return sum(lost.scalars())


def _find_known(
    connection: Connection, caller: Caller, wanted: Collection[str], state: _Meter
) -> _Known:
    rows = connection.execute(
        select(tables.response).where(tables.response.c.hash.in_(wanted))
    ).all()
    return _Known(
        answers={row.hash: row.text for row in rows if row.text is not None},
        others=frozenset(
            row.hash
            for row in rows
            if row.text is None
            and row.held_worker != caller.worker_id
            and row.held_boot == state.boot
            and row.held_until > state.now
        ),
    )


def _affordable(missing: list[str], state: _Meter, quota: Quota) -> tuple[list[str], str, float]:
    """Return as many calls as rate and budget allow now, else why none and for how long."""
    count = quota.most_calls
    if quota.budget_calls is not None and missing:
        count = min(count, (quota.budget_calls - state.calls - state.held) // quota.tries)
        if count <= 0:
            return [], *_budget_wait(quota.budget_calls, state, quota)
    if quota.calls_per_second is not None and missing:
        wait = state.next_call - state.now
        if wait > MOST_WAIT_SECONDS:
            return [], f"its rate of {quota.calls_per_second:g} calls a second is used up", wait
        count = min(count, 1 + int((MOST_WAIT_SECONDS - wait) * quota.calls_per_second))
    return missing[:count], "", 0.0


def _budget_wait(budget: int, state: _Meter, quota: Quota) -> tuple[str, float]:
    if state.calls + quota.tries <= budget:
        return f"what is left of its budget of {budget:,} calls is being used", HELD_SECONDS
    left = state.period_at + quota.budget_days * DAY_SECONDS - state.wall
    return f"its budget of {budget:,} calls is spent", max(left, 1.0)


def _still_there(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return which records have not been erased, and keep them until the transaction ends."""
    here = (
        select(tables.record.c.id).where(tables.record.c.id.in_(ids)).order_by(tables.record.c.id)
    )
    return set(connection.execute(here.with_for_update(read=True, key_share=True)).scalars())


def _hold(
    connection: Connection,
    caller: Caller,
    token: str,
    records: Mapping[str, int],
    state: _Meter,
    quota: Quota,
) -> list[str]:
    """Note that these calls are being made; returns those that nobody else has taken meanwhile."""
    held: list[str] = []
    for one, record_id in records.items():
        row = {
            "record_id": record_id,
            "held_until": state.now + quota.hold_seconds,
            "held_boot": state.boot,
            "held_worker": caller.worker_id,
            "held_by": token,
            "made_at": time.time(),
        }
        statement = insert(connection, tables.response).values(hash=one, **row)
        # Another enricher has a meter of its own, and so does not wait for this one's lock.
        is_free = and_(
            tables.response.c.text.is_(None),
            or_(
                tables.response.c.held_boot != state.boot,
                tables.response.c.held_until <= state.now,
                tables.response.c.held_worker == caller.worker_id,
            ),
        )
        taken = statement.on_conflict_do_update(index_elements=["hash"], set_=row, where=is_free)
        held += connection.execute(taken.returning(tables.response.c.hash)).scalars()
    return held


def _charge(
    connection: Connection, caller: Caller, token: str, state: _Meter, quota: Quota, count: int
) -> None:
    """Write the meter, and what is held of it."""
    mine = {"dataset_id": caller.dataset_id, "enricher": caller.enricher}
    if count:
        held = {"held_until": state.now + quota.hold_seconds, "held_boot": state.boot}
        who = {"token": token, "worker_id": caller.worker_id, "calls": count * quota.tries}
        connection.execute(tables.call_grant.insert().values(**mine, **who, **held))
    gap = count / quota.calls_per_second if quota.calls_per_second else 0.0
    connection.execute(
        update(tables.meter)
        .filter_by(**mine)
        .values(
            calls=state.calls,
            held=state.held + count * quota.tries,
            period_at=state.period_at,
            next_call=state.next_call + gap,
            next_boot=state.boot,
        )
    )


def settle_calls(
    connection: Connection,
    caller: Caller,
    grant: Grant,
    answers: Mapping[str, str],
    made: int,
) -> None:
    """Keep the answers, let others ask what had none, and count the calls that were `made`."""
    mine_meter = {"dataset_id": caller.dataset_id, "enricher": caller.enricher}
    # In the order of a grant: the meter first.
    connection.execute(select(tables.meter.c.calls).filter_by(**mine_meter).with_for_update())
    of_mine = tables.call_grant.c.token == grant.token
    taken = delete(tables.call_grant).where(of_mine).returning(tables.call_grant.c.calls)
    held = connection.execute(taken).scalar()
    for asked, text in sorted(answers.items()):
        connection.execute(
            update(tables.response)
            .where(tables.response.c.hash == asked, tables.response.c.text.is_(None))
            .values(text=text, held_until=None, held_boot=None, made_at=time.time())
        )
    # What was taken over by somebody else meanwhile is theirs.
    mine = tables.response.c.held_by == grant.token
    connection.execute(delete(tables.response).where(mine, tables.response.c.text.is_(None)))
    connection.execute(update(tables.response).where(mine).values(held_by=None, held_worker=None))
    if held is None:
        # It was taken for lost, and counted in full; or this is done for the second time.
        return
    connection.execute(
        update(tables.meter)
        .filter_by(**mine_meter)
        .values(calls=tables.meter.c.calls + made, held=tables.meter.c.held - held)
    )


def free_calls_of(connection: Connection, worker_id: int) -> None:
    """Let others make the calls of a worker that is known to be gone."""
    connection.execute(
        update(tables.response)
        .where(tables.response.c.held_worker == worker_id, tables.response.c.text.is_(None))
        .values(held_until=0.0)
    )
    gone = tables.call_grant.c.worker_id == worker_id
    connection.execute(update(tables.call_grant).where(gone).values(held_until=0.0))


def spent_calls(connection: Connection, dataset_id: int) -> dict[str, int]:
    """Return how many calls each enricher has spent in its period."""
    query = select(tables.meter.c.enricher, tables.meter.c.calls).where(
        tables.meter.c.dataset_id == dataset_id
    )
    return {row.enricher: row.calls for row in connection.execute(query)}
