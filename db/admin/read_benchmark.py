"""The store's floor: how many predictions one connection finds in a second, and how late."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.errors import VeilleuseError
from db.records.dataset import find_dataset
from db.records.prediction import find_body
from db.store import tables
from db.store.engine import Store

# Keys that are asked for lie all over the index, as those of questions do.
PLACES, KEYS_A_PLACE = 100, 50


@dataclass(frozen=True)
class ReadBenchmark:
    """What a web process could do at most with one connection, if looking up were all it did."""

    dataset: str
    reads: int
    seconds: float
    p50_microseconds: float
    p99_microseconds: float

    @property
    def rate(self) -> float:
        """Reads a second."""
        return self.reads / self.seconds


def measure_reads(store: Store, name: str, seconds: float) -> ReadBenchmark:
    """Read predictions of a dataset by chance, one after the other."""
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        keys = _keys(connection, dataset.id)
        if not keys:
            raise VeilleuseError(f"{name} has no predictions yet: python -m enrich once {name}")
        took, began = [], time.perf_counter()
        while time.perf_counter() - began < seconds:
            key, before = random.choice(keys), time.perf_counter()  # noqa: S311  no secret
            find_body(connection, dataset.id, key)
            took.append(time.perf_counter() - before)
        whole = time.perf_counter() - began
    took.sort()
    half, most = (1e6 * took[int(len(took) * share)] for share in (0.5, 0.99))
    return ReadBenchmark(name, len(took), whole, half, most)


def _keys(connection: Connection, dataset_id: int) -> list[bytes]:
    """Return keys from many places of the index."""
    query = (
        select(tables.prediction.c.key)
        .where(tables.prediction.c.dataset_id == dataset_id)
        .order_by(tables.prediction.c.key)
    )
    found = {
        key
        for _ in range(PLACES)
        for key in connection.scalars(
            query.where(tables.prediction.c.key >= secrets.token_bytes(16)).limit(KEYS_A_PLACE)
        )
    }
    return list(found or connection.scalars(query.limit(KEYS_A_PLACE)))
