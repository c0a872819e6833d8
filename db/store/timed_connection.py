"""Connections to PostgreSQL on which no wait is longer than its limit.

The server enforces the limits of a session that belongs to this client alone. A pooler shares
sessions among clients, and a network may swallow what both sides say, so the client enforces them
too.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

from .limits import TCP_LIMITS, Limits

T = TypeVar("T")

# The server gives up a little earlier than the client, so that the session survives.
SERVER_SHARE = 0.9
# A pooler forwards the cancellation; without one, the abandoned statement would go on.
CANCEL_SECONDS = 0.5
# The driver prepares a statement once it has run this often.
PREPARE_AFTER = 5
_SET_LIMITS = (
    "SELECT set_config('statement_timeout', %(statement)s, %(local)s),"
    " set_config('lock_timeout', %(lock)s, %(local)s)"
)
# A pooler shows its clients made-up process ids.
_SET_OWN_LIMITS = f"{_SET_LIMITS} WHERE pg_backend_pid() = %(pid)s"


class StatementTimeout(errors.QueryCanceled):
    """The store has not answered a statement in time; the connection is closed."""


class TimedConnection(psycopg.Connection[Any]):
    """A connection whose statements end at a limit, whether or not anything answers."""

    # None: no limit.
    statement_seconds: float | None = None
    # Whether no pooler stands between, so that what is set for the session stays ours.
    owns_session = False

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Run a generator of the driver; raises StatementTimeout, and closes the connection."""
        if timeout is not None or self.statement_seconds is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.statement_seconds)
        except errors._WaitTimeout:  # noqa: SLF001  the driver has no public name for it
            self._give_up()
            message = f"no answer from the store within {self.statement_seconds:g} s"
            raise StatementTimeout(message) from None

    def _give_up(self) -> None:
        if not self.owns_session:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=CANCEL_SECONDS)
        self.pgconn.finish()

    def set_limits(self, limits: Limits) -> None:
        """Limit all statements from now on, on the server too if the session is ours.

        No session state, such as prepared statements, is used in a session that is a pooler's.
        """
        self.statement_seconds = limits.statement_seconds
        before, self.autocommit = self.autocommit, True
        values = {**limit_values(limits, local=False), "pid": self.info.backend_pid}
        self.owns_session = self.execute(_SET_OWN_LIMITS, values).fetchone() is not None
        self.autocommit = before
        if self.owns_session:
            # Statements that are prepared take two thirds of the time.
            self.prepare_threshold = PREPARE_AFTER

    def transaction_limits(self, limits: Limits) -> tuple[str, dict[str, object]] | None:
        """Return the statement that limits a transaction, None if its session has limits."""
        return None if self.owns_session else (_SET_LIMITS, limit_values(limits, local=True))

    @contextmanager
    def without_statement_limit(self, lock_seconds: float) -> Iterator[None]:
        """Let the statements of a transaction take any time, and a lock that many seconds."""
        before, self.statement_seconds = self.statement_seconds, None
        try:
            self.limit_locks(lock_seconds)
            yield
        finally:
            self.statement_seconds = before

    def limit_locks(self, seconds: float) -> None:
        """Limit the wait for a lock in the rest of the transaction, and no statement's time."""
        self.execute(_SET_LIMITS, {"statement": "0", "lock": _ms(seconds), "local": True})

    def cut(self) -> None:
        """End what another thread waits for on this connection, with an error."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)


def limit_values(limits: Limits, *, local: bool) -> dict[str, object]:
    """Return the parameters of _SET_LIMITS."""
    return {
        "statement": _ms(limits.statement_seconds * SERVER_SHARE),
        "lock": _ms(limits.lock_seconds * SERVER_SHARE),
        "local": local,
    }


def _ms(seconds: float) -> str:
    """Return a time as PostgreSQL's settings have it, in milliseconds."""
    return str(math.ceil(seconds * 1000))


def connect(limits: Limits, parameters: Mapping[str, Any]) -> TimedConnection:
    """Connect to the first address that answers; each gets its share of the time.

    Raises psycopg.OperationalError. The parameters are libpq's; `host` and `port` may be lists.
    """
    until = time.monotonic() + limits.connect_seconds
    addresses = _run_within(limits.connect_seconds, partial(_addresses, parameters))
    error: psycopg.OperationalError | None = None
    for number, address in enumerate(addresses):
        seconds = (until - time.monotonic()) / (len(addresses) - number)
        try:
            return _run_within(seconds, partial(_connect, limits, {**parameters, **address}))
        except psycopg.OperationalError as failed:
            error = failed
    assert error is not None  # noqa: S101  there is at least one address
    raise error


def _connect(limits: Limits, parameters: Mapping[str, Any]) -> TimedConnection:
    options = {
        **TCP_LIMITS,
        "tcp_user_timeout": min(
            int(1000 * limits.statement_seconds), TCP_LIMITS["tcp_user_timeout"]
        ),
        **parameters,
        # The driver's shortest is two seconds; `_run_within` gives up earlier.
        "connect_timeout": max(2, math.ceil(limits.connect_seconds)),
    }
    connection = TimedConnection.connect(**options)
    try:
        connection.set_limits(limits)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def _addresses(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return host, port and IP address of each address to try; raises psycopg.OperationalError."""
    if parameters.get("hostaddr") or not parameters.get("host"):
        return [{}]
    hosts = str(parameters["host"]).split(",")
    ports = str(parameters.get("port") or 5432).split(",")
    ports *= len(hosts) if len(ports) == 1 else 1
    found: list[dict[str, Any]] = []
    problems = []
    for host, port in zip(hosts, ports, strict=True):
        try:
            found += _resolve(host, port)
        except OSError as error:
            problems.append(f"the host {host} is not known: {error.strerror}")
    if not found:
        raise psycopg.OperationalError("; ".join(problems))
    return found


def _resolve(host: str, port: str) -> Iterator[dict[str, Any]]:
    if host.startswith(("/", "@")) or not host:
        yield {"host": host, "port": port}
        return
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for address in dict.fromkeys(str(one[4][0]) for one in found):
        yield {"host": host, "port": port, "hostaddr": address}


def _run_within(seconds: float, work: Callable[[], T]) -> T:
    """Run in a thread, and stop waiting for it after a while.

    Neither a look-up of a name nor every step of a connection can be interrupted.
    """
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=(future, work), daemon=True).start()
    try:
        return future.result(max(seconds, 0.0))
    except TimeoutError:
        future.add_done_callback(_close_late)
        raise errors.ConnectionTimeout("no connection to the store in time") from None


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001  the caller's thread raises it
        future.set_exception(error)


def _close_late(future: Future[Any]) -> None:
    """Close the connection of an attempt that nobody waits for any longer."""
    if future.exception() is None and isinstance(late := future.result(), TimedConnection):
        late.close()
