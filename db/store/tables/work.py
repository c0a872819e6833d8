"""Tables of the work: chunks, workers, runs, and what they must agree on."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
)

from .base import BigId, dataset_column, id_column, metadata

chunk = Table(
    "chunk",
    metadata,
    id_column(),
    dataset_column(),
    Column("revision", Integer, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("owner", BigId),
    # Until when by the store's clock; see dialect.lease_clock. Without an owner: not before.
    Column("lease_until", Double),
    Column("lease_boot", Text),
    Column("error", Text),
    sqlite_autoincrement=True,
)

# The order in which chunks are claimed.
Index("chunk_order", chunk.c.asked.desc(), chunk.c.id)

worker = Table(
    "worker",
    metadata,
    id_column(),
    # Which process of which machine, so that a neighbour can tell that it has died.
    Column("host", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    # What its gate says, since when and why; see enrich.gate.decision.
    Column("state", Text, nullable=False),
    Column("since", Double, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),
    # Records done since it started, how many a second of late, and the share of its time in
    # which the gate was open.
    Column("records", BigInteger, nullable=False, server_default="0"),
    Column("rate", Double, nullable=False, server_default="0"),
    Column("open_share", Double, nullable=False, server_default="0"),
    Column("error", Text),
    Column("error_at", Double),
    # The limits of its gate, as JSON.
    Column("limits", Text),
    sqlite_autoincrement=True,
)

# What a worker's gate has read of late: means over some ten seconds each.
reading = Table(
    "reading",
    metadata,
    Column("worker_id", BigId, primary_key=True, autoincrement=False),
    Column("at", Double, primary_key=True),
    Column("open_share", Double, nullable=False),
    Column("foreign_cores", Double),
    Column("memory_share", Double),
    Column("stalled_share", Double),
    Column("web_requests", Double),
)

run = Table(
    "run",
    metadata,
    id_column(),
    dataset_column(),
    # Gone from the table of workers while the run says "running": it died in the middle.
    Column("worker_id", BigId),
    Column("command", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("records", Integer, nullable=False, server_default="0"),
    Column("outcome", Text, nullable=False, server_default="running"),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("record_id", BigId, ForeignKey("record.id"), primary_key=True, autoincrement=False),
    dataset_column(),
    Column("revision", Integer, nullable=False),
    # Empty where workers died over the record, whatever they were at.
    Column("enricher", Text, primary_key=True, server_default=""),
    Column("reason", Text, nullable=False),
    Column("made_at", Double, nullable=False),
)
Index("quarantine_latest", quarantine.c.made_at)

pause = Table(
    "pause",
    metadata,
    # The one row, which is there while every worker is to wait.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("made_at", Double, nullable=False),
)

progress = Table(
    "progress",
    metadata,
    dataset_column(primary_key=True),
    Column("enricher", Text, primary_key=True),
    Column("fresh", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("made_at", Double, nullable=False),
)

meter = Table(
    "meter",
    metadata,
    dataset_column(primary_key=True),
    Column("enricher", Text, primary_key=True),
    # Calls that were made, and those that may be being made just now: they were granted.
    Column("calls", BigInteger, nullable=False, server_default="0"),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("period_at", Double, nullable=False, server_default="0"),
    # The store's time at which the next call may be made.
    Column("next_call", Double, nullable=False, server_default="0"),
    Column("next_boot", Text, nullable=False, server_default=""),
)

response = Table(
    "response",
    metadata,
    Column("hash", Text, primary_key=True),
    # The record that it was asked for, with which it is forgotten.
    Column("record_id", BigId, ForeignKey("record.id"), nullable=False),
    Column("text", Text),
    # While there is no text: until when, by the store's clock, which worker is asking, and under
    # which grant.
    Column("held_until", Double),
    Column("held_boot", Text),
    Column("held_worker", BigId),
    Column("held_by", Text),
    Column("made_at", Double, nullable=False),
)
Index("response_record", response.c.record_id)

# What is held of a meter, by whom and until when; its calls outlive their records and responses.
call_grant = Table(
    "call_grant",
    metadata,
    Column("token", Text, primary_key=True),
    dataset_column(),
    Column("enricher", Text, nullable=False),
    Column("worker_id", BigId, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("held_until", Double, nullable=False),
    Column("held_boot", Text, nullable=False),
)
Index("call_grant_meter", call_grant.c.dataset_id, call_grant.c.enricher)
