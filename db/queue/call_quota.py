"""Quotas and a response store for calls to services: each call is made once, by one worker.

Each enricher of a dataset has a meter, which all workers share: the calls of the current budget
period, the reserved calls, and the next free slot under the rate limit. `grant_calls` locks the
meter and reserves, until a set time, those of the wanted calls that rate and budget allow, with
every try that they may take. Responses are stored by the hash of the request, so that no call is
made twice; while a call is being made, its row has no text, and other workers and enrichers wait.
`settle_calls` stores the responses, counts the calls that were made and their tokens, and returns
the rest of the reservation. If a worker dies, its reservations end at the set time or when another
worker notices (`release_calls`). All their calls then count as made; those without a response may
be made again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select, update

from db.store import tables
from db.store.dialect import insert

from .meter import DAY_SECONDS, NO_TOKENS, Meter, Tokens, add_usage, lock_meter

# The longest wait for a free slot; a worker that would wait longer does other work meanwhile.
MOST_WAIT_SECONDS = 1.0
# The pause while the rest of a budget is reserved: part of it may be returned.
BUDGET_RETRY_SECONDS = 3.0


@dataclass(frozen=True)
class Caller:
    """The enricher of a dataset, which has a meter, and the worker that makes its calls."""

    dataset_id: int
    enricher: str
    worker_id: int


@dataclass(frozen=True)
class Quota:
    """The limits of an enricher; each call may take up to `tries` tries, which all count."""

    tries: int
    hold_seconds: float
    most_calls: int = 50
    calls_per_second: float | None = None
    budget_calls: int | None = None
    budget_days: float = 30.0


@dataclass(frozen=True)
class Grant:
    """The state of the wanted calls, by the hashes of their requests.

    `granted` are the calls to make, the first after `wait_seconds`; `in_progress` are those that
    other workers are making, and `erased` those whose records have been deleted. If no call may
    be made now, `reason` says why, and `postponed_seconds` when to ask again.
    """

    token: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    granted: tuple[str, ...] = ()
    in_progress: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()
    wait_seconds: float = 0.0
    postponed_seconds: float = 0.0
    reason: str = ""


def grant_calls(
    connection: Connection, caller: Caller, wanted: Mapping[str, int], quota: Quota
) -> Grant:
    """Reserve the calls that may be made now; `wanted` maps a request's hash to a record id."""
    meter = lock_meter(connection, _meter_key(caller), caller.worker_id, quota.budget_days)
    meter = replace(meter, next_call=min(meter.next_call, meter.now + _longest_wait(quota)))
    answers, in_progress = _read_responses(connection, caller, wanted, meter)
    missing = [hash_ for hash_ in wanted if hash_ not in answers and hash_ not in in_progress]
    affordable, reason, postponed = _apply_quota(missing, meter, quota)
    existing = _lock_records(connection, {wanted[hash_] for hash_ in missing})
    erased = frozenset(hash_ for hash_ in missing if wanted[hash_] not in existing)
    token = secrets.token_hex(16)
    records = {hash_: wanted[hash_] for hash_ in sorted(affordable) if hash_ not in erased}
    granted = _reserve_responses(connection, caller, token, records, meter, quota)
    _reserve_calls(connection, caller, token, meter, quota, len(granted))
    return Grant(
        token=token,
        answers=answers,
        granted=tuple(granted),
        in_progress=in_progress,
        erased=erased,
        wait_seconds=meter.next_call - meter.now if granted else 0.0,
        postponed_seconds=postponed,
        reason=reason,
    )


def _longest_wait(quota: Quota) -> float:
    """Return how far ahead a slot can be reserved; a later one was reserved by a wrong clock."""
    return MOST_WAIT_SECONDS + (1 / quota.calls_per_second if quota.calls_per_second else 0.0)


def _meter_key(caller: Caller) -> dict[str, Any]:
    return {"dataset_id": caller.dataset_id, "enricher": caller.enricher}


def _read_responses(
    connection: Connection, caller: Caller, hashes: Collection[str], meter: Meter
) -> tuple[dict[str, str], frozenset[str]]:
    """Return the stored responses by hash, and the calls that other workers are making."""
    query = select(tables.response).where(tables.response.c.hash.in_(hashes))
    rows = connection.execute(query).all()
    answers = {row.hash: row.text for row in rows if row.text is not None}
    in_progress = frozenset(
        row.hash
        for row in rows
        if row.text is None
        and row.held_worker != caller.worker_id
        and row.held_boot == meter.boot
        and row.held_until > meter.now
    )
    return answers, in_progress


def _apply_quota(missing: list[str], meter: Meter, quota: Quota) -> tuple[list[str], str, float]:
    """Return the calls that rate and budget allow now, or why there are none and for how long."""
    count = quota.most_calls
    if quota.budget_calls is not None and missing:
        count = min(count, (quota.budget_calls - meter.calls - meter.reserved) // quota.tries)
        if count <= 0:
            return [], *_budget_wait(quota.budget_calls, meter, quota)
    if quota.calls_per_second is not None and missing:
        wait = meter.next_call - meter.now
        if wait > MOST_WAIT_SECONDS:
            return [], f"its limit of {quota.calls_per_second:g} calls per second is reached", wait
        count = min(count, 1 + int((MOST_WAIT_SECONDS - wait) * quota.calls_per_second))
    return missing[:count], "", 0.0


def _budget_wait(budget: int, meter: Meter, quota: Quota) -> tuple[str, float]:
    if meter.calls + quota.tries <= budget:
        return f"the rest of its budget of {budget:,} calls is reserved", BUDGET_RETRY_SECONDS
    left = quota.budget_days * DAY_SECONDS - meter.period_seconds
    return f"its budget of {budget:,} calls is spent", max(left, 1.0)


def _lock_records(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return the ids of records that exist; none can be deleted until the transaction ends."""
    query = select(tables.record.c.id).where(tables.record.c.id.in_(ids))
    lock = query.order_by(tables.record.c.id).with_for_update(read=True, key_share=True)
    return set(connection.execute(lock).scalars())


def _reserve_responses(
    connection: Connection,
    caller: Caller,
    token: str,
    records: Mapping[str, int],
    meter: Meter,
    quota: Quota,
) -> list[str]:
    """Mark calls as being made; return those that no other enricher has reserved meanwhile."""
    reserved: list[str] = []
    for hash_, record_id in records.items():
        row = {
            "record_id": record_id,
            "held_until": meter.now + quota.hold_seconds,
            "held_boot": meter.boot,
            "held_worker": caller.worker_id,
            "held_by": token,
            "made_at": time.time(),
        }
        statement = insert(connection, tables.response).values(hash=hash_, **row)
        # The lock on this meter does not keep out another enricher, which has its own meter.
        is_free = and_(
            tables.response.c.text.is_(None),
            or_(
                tables.response.c.held_boot != meter.boot,
                tables.response.c.held_until <= meter.now,
                tables.response.c.held_worker == caller.worker_id,
            ),
        )
        upsert = statement.on_conflict_do_update(index_elements=["hash"], set_=row, where=is_free)
        reserved += connection.execute(upsert.returning(tables.response.c.hash)).scalars()
    return reserved


def _reserve_calls(
    connection: Connection, caller: Caller, token: str, meter: Meter, quota: Quota, count: int
) -> None:
    """Write the grant, and the meter with the calls that it reserves."""
    calls = count * quota.tries
    if count:
        lease = {"held_until": meter.now + quota.hold_seconds, "held_boot": meter.boot}
        grant = {"token": token, "worker_id": caller.worker_id, "calls": calls, **lease}
        connection.execute(tables.call_grant.insert().values(**_meter_key(caller), **grant))
    gap = count / quota.calls_per_second if quota.calls_per_second else 0.0
    connection.execute(
        update(tables.meter)
        .filter_by(**_meter_key(caller))
        .values(
            calls=meter.calls,
            held=meter.reserved + calls,
            period_at=meter.period_at,
            period_clock=meter.period_clock,
            next_call=meter.next_call + gap,
            next_boot=meter.boot,
        )
    )


def settle_calls(
    connection: Connection,
    caller: Caller,
    grant: Grant,
    answers: Mapping[str, str],
    calls: int,
    tokens: Tokens = NO_TOKENS,
) -> None:
    """Store the answers, count the `calls` that were made, and release everything else granted."""
    key = _meter_key(caller)
    # Lock in the same order as grant_calls: the meter first.
    connection.execute(select(tables.meter.c.calls).filter_by(**key).with_for_update())
    settled = delete(tables.call_grant).filter_by(token=grant.token)
    reserved = connection.execute(settled.returning(tables.call_grant.c.calls)).scalar()
    for hash_, text in sorted(answers.items()):
        connection.execute(
            update(tables.response)
            .where(tables.response.c.hash == hash_, tables.response.c.text.is_(None))
            .values(text=text, held_until=None, held_boot=None, made_at=time.time())
        )
    # A call that another worker has reserved meanwhile has another token and stays reserved.
    of_grant = tables.response.c.held_by == grant.token
    connection.execute(delete(tables.response).where(of_grant, tables.response.c.text.is_(None)))
    release = update(tables.response).where(of_grant)
    connection.execute(release.values(held_by=None, held_worker=None))
    # Without a grant, it was lost and is counted in full, or it has been settled before.
    if reserved is not None:
        add_usage(connection, key, calls, reserved, tokens)


def release_calls(connection: Connection, worker_id: int) -> None:
    """End the reservations of a worker that has ended or died, so that others may call."""
    responses = update(tables.response).where(
        tables.response.c.held_worker == worker_id, tables.response.c.text.is_(None)
    )
    grants = update(tables.call_grant).where(tables.call_grant.c.worker_id == worker_id)
    for reservations in (responses, grants):
        connection.execute(reservations.values(held_until=0.0))


def forget_responses(connection: Connection, hashes: Collection[str]) -> None:
    """Delete stored responses, so that their calls are made again."""
    wanted = tables.response.c.hash.in_(hashes)
    connection.execute(delete(tables.response).where(wanted, tables.response.c.text.is_not(None)))


def spent_calls(connection: Connection, dataset_id: int) -> dict[str, int]:
    """Return how many calls each enricher has made in its budget period."""
    meter = tables.meter.c
    query = select(meter.enricher, meter.calls).where(meter.dataset_id == dataset_id)
    return {row.enricher: row.calls for row in connection.execute(query)}
