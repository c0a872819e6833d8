"""A transaction of migrations: it does not hold others up while it waits for a lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from db.errors import StoreError
from db.store import tables
from db.store.dialect import lock_upgrade
from db.store.direct.errors import is_lock_timeout
from db.store.store import Store

T = TypeVar("T")

# All later statements on a table wait behind a migration that waits for it.
LOCK_SECONDS = 3.0
PAUSE_SECONDS = 2.0
TRIES = 6
# Another process may be migrating, which takes as long as the tables are large.
UPGRADE_SECONDS = 3600.0
_HOLDERS = text(
    "SELECT a.pid, a.application_name AS name, a.state,"
    " round(extract(epoch FROM clock_timestamp() - a.xact_start)) AS seconds,"
    " min(c.relname) AS table_name"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " JOIN pg_class c ON c.oid = l.relation AND c.relkind = 'r'"
    " WHERE l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()"
    " AND c.relname = ANY(:tables)"
    " GROUP BY a.pid, a.application_name, a.state, a.xact_start ORDER BY a.xact_start LIMIT 3"
)


def run_migration(store: Store, work: Callable[[Connection], T]) -> T:
    """Run a transaction in which one process at a time changes the tables.

    It waits for locks for a few seconds only, and is repeated after a pause. Raises StoreError,
    which names the sessions that hold the locks.
    """
    failed: DBAPIError | None = None
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            with store.writing() as connection, _limited(connection):
                return work(connection)
        except DBAPIError as error:
            if not is_lock_timeout(error):
                raise
            failed = error
    raise StoreError(_describe_holders(store)) from failed


@contextmanager
def _limited(connection: Connection) -> Iterator[None]:
    """Take the lock of upgrades, then limit the wait for other locks; no statement is too long."""
    if connection.dialect.name == "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with driver.without_statement_limit(UPGRADE_SECONDS):
        lock_upgrade(connection)
        driver.limit_locks(LOCK_SECONDS)
        yield


def _describe_holders(store: Store) -> str:
    # SQLite does not tell who holds its lock.
    holders = [] if store.is_local else _read_holders(store)
    if not holders:
        return "other sessions kept the tables locked; run it again: python -m db upgrade"
    sessions = "; ".join(_describe_holder(holder) for holder in holders)
    return (
        f"other sessions keep the tables locked, so nothing was changed: {sessions};"
        f" end the oldest, SELECT pg_terminate_backend({holders[0].pid}), or wait, and run it"
        f" again: python -m db upgrade"
    )


def _read_holders(store: Store) -> Sequence[Row[Any]]:
    with store.reading() as connection:
        return connection.execute(_HOLDERS, {"tables": list(tables.metadata.tables)}).all()


def _describe_holder(holder: Row[Any]) -> str:
    name = holder.name or "a client without a name"
    return (
        f"{name} (pid {holder.pid}, {holder.state}, for {holder.seconds:.0f} s) holds"
        f" {holder.table_name}"
    )
