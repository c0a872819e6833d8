"""The read benchmark: how many predictions per second one connection reads, and how fast each."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.errors import VeilleuseError
from db.records.dataset import find_dataset
from db.records.lookup import bind_find_body
from db.store import tables
from db.store.store import Store

# The keys come from many places of the index, as the keys of requests do.
PLACES, KEYS_PER_PLACE = 100, 50


@dataclass(frozen=True)
class ReadBenchmark:
    """The result: an upper limit for a web process that answers from one connection."""

    dataset: str
    reads: int
    seconds: float
    p50_microseconds: float
    p99_microseconds: float

    @property
    def rate(self) -> float:
        """Reads per second."""
        return self.reads / self.seconds


def measure_reads(store: Store, name: str, seconds: float) -> ReadBenchmark:
    """Read random predictions of a dataset, one after the other, for that many seconds."""
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        keys = _keys(connection, dataset.id)
        if not keys:
            raise VeilleuseError(
                f"{name}: has no predictions yet; run: python -m enrich once {name}"
            )
        find_body = bind_find_body(connection)
        durations, started = [], time.perf_counter()
        while time.perf_counter() - started < seconds:
            key, before = random.choice(keys), time.perf_counter()  # noqa: S311  no secret
            find_body(dataset.id, key)
            durations.append(time.perf_counter() - before)
        elapsed = time.perf_counter() - started
    durations.sort()
    p50, p99 = (1e6 * durations[int(len(durations) * share)] for share in (0.5, 0.99))
    return ReadBenchmark(name, len(durations), elapsed, p50, p99)


def _keys(connection: Connection, dataset_id: int) -> list[bytes]:
    """Return keys from random places of the index, or the first ones if these find none."""
    query = (
        select(tables.prediction.c.key)
        .where(tables.prediction.c.dataset_id == dataset_id)
        .order_by(tables.prediction.c.key)
    )
    keys = {
        key
        for _ in range(PLACES)
        for key in connection.scalars(
            query.where(tables.prediction.c.key >= secrets.token_bytes(16)).limit(KEYS_PER_PLACE)
        )
    }
    return list(keys or connection.scalars(query.limit(KEYS_PER_PLACE)))
