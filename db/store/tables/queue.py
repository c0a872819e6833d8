"""Tables of the queue: chunks, workers, runs, quarantine, and quotas for outgoing calls."""

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
    # The end of the lease on the lease clock; see dialect.lease_clock. A chunk without an owner
    # must not be claimed before this time.
    Column("lease_until", Double),
    Column("lease_boot", Text),
    Column("error", Text),
    sqlite_autoincrement=True,
)

worker = Table(
    "worker",
    metadata,
    id_column(),
    # The process and its machine, so that another worker on that machine can see that it died.
    Column("host", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    # The state of its gate, its start and its reason; see enrich.gate.decision.
    Column("state", Text, nullable=False),
    Column("since", Double, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),
    # Records done since the worker started, its recent rate per second, and the share of its time
    # in which the gate was open.
    Column("records", BigInteger, nullable=False, server_default="0"),
    Column("rate", Double, nullable=False, server_default="0"),
    Column("open_share", Double, nullable=False, server_default="0"),
    Column("error", Text),
    Column("error_at", Double),
    # The limits of the gate, as JSON.
    Column("limits", Text),
    # The versions of its libraries, as JSON by name.
    Column("libraries", Text),
    sqlite_autoincrement=True,
)

# Recent load readings of a worker's gate, each averaged over about ten seconds.
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
    # If this worker no longer exists and the outcome is "running", the worker died during the run.
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
    # Empty if workers died on the record: then the enricher at fault is not known.
    Column("enricher", Text, primary_key=True, server_default=""),
    Column("reason", Text, nullable=False),
    Column("made_at", Double, nullable=False),
)
Index("quarantine_latest", quarantine.c.made_at)

# What is stopped in a dataset; see db.queue.fault.
fault = Table(
    "fault",
    metadata,
    Column(
        "dataset_id",
        BigId,
        # Code that does not know this table can delete a dataset.
        ForeignKey("dataset.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("subject", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("tried_at", Double, nullable=False),
    Column("wait_seconds", Double, nullable=False),
)

pause = Table(
    "pause",
    metadata,
    # Always 1. All workers wait while this row exists.
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
    # Calls made in this period, and calls reserved by grants that have not been settled.
    Column("calls", BigInteger, nullable=False, server_default="0"),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("period_at", Double, nullable=False, server_default="0"),
    # Its beginning on the clock of the machine that began it; see meter.elapsed_seconds.
    Column("period_clock", Text, nullable=False, server_default=""),
    # The time of the next free slot under the rate limit, on the lease clock.
    Column("next_call", Double, nullable=False, server_default="0"),
    Column("next_boot", Text, nullable=False, server_default=""),
    # Tokens of a language model in this period: read, and written by it.
    Column("prompt_tokens", BigInteger, nullable=False, server_default="0"),
    Column("answer_tokens", BigInteger, nullable=False, server_default="0"),
)

response = Table(
    "response",
    metadata,
    Column("hash", Text, primary_key=True),
    # The record for which the call was made; deleting the record deletes the response.
    Column("record_id", BigId, ForeignKey("record.id"), nullable=False),
    Column("text", Text),
    # While the call is being made (text is NULL): the end of the reservation on the lease clock,
    # the worker that makes the call, and the token of its grant.
    Column("held_until", Double),
    Column("held_boot", Text),
    Column("held_worker", BigId),
    Column("held_by", Text),
    Column("made_at", Double, nullable=False),
)
Index("response_record", response.c.record_id)

# Calls of a meter that a worker has reserved, and until when. A grant is counted even if its
# records and responses are deleted.
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
