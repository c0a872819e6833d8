"""Tables that web processes share with workers: generation, load and prediction counts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, Table, Text

from .base import dataset_column, metadata

generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
)

web_signal = Table(
    "web_signal",
    metadata,
    Column("process", Text, primary_key=True),
    Column("requests_per_second", Double, nullable=False),
    Column("in_flight", Integer, nullable=False),
    Column("p95_seconds", Double, nullable=False),
    # The time of the row on the lease clock; see dialect.lease_clock.
    Column("told", Double, nullable=False),
    Column("told_boot", Text, nullable=False),
)

served = Table(
    "served",
    metadata,
    dataset_column(primary_key=True),
    # Hours since 1970.
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("prediction", Text, primary_key=True),
    Column("answers", BigInteger, nullable=False),
)
