"""Tables between web processes and workers."""

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
    # When, by the store's clock.
    Column("told", Double, nullable=False),
    Column("told_boot", Text, nullable=False),
)

served = Table(
    "served",
    metadata,
    dataset_column(primary_key=True),
    # Since the epoch.
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("prediction", Text, primary_key=True),
    Column("answers", BigInteger, nullable=False),
)
