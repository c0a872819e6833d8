"""Client threads that send requests continuously to a running server."""

from __future__ import annotations

import http.client
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy

from db.store import tables
from tests.processes import PATIENCE_SECONDS

from .conftest import Reply, Site, query, read_reply, until

CLIENTS = 4
PREDICT = f"/predict/intents?{query(sentence='je cherche un vol pour Lisbonne')}"


def listened(site: Site) -> int:
    """Return how many times the site's main process has started to listen."""
    return site.log.read_text().count(f"process {site.process.pid} listens on")


def set_schema(site: Site, version: str) -> str:
    """Set the schema version that the store records; return the previous one."""
    with site.store.writing() as connection:
        before: str = connection.execute(
            sqlalchemy.select(tables.version.c.version_num)
        ).scalar_one()
        connection.execute(sqlalchemy.update(tables.version).values(version_num=version))
    return before


class Client(threading.Thread):
    """Sends requests continuously on one connection; reconnects only after the server closed it."""

    def __init__(self, site: Site, *, reconnects: bool, may_fail: bool = False) -> None:
        super().__init__(daemon=True)
        self._may_fail = may_fail
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", site.port, timeout=PATIENCE_SECONDS
        )
        self._reconnects = reconnects
        self._finished = threading.Event()
        self.replies: list[Reply] = []
        self.failures: list[Exception] = []

    def run(self) -> None:
        with suppress(StopIteration):
            while not self._finished.is_set():
                self._ask()
        self._connection.close()

    def _ask(self) -> None:
        try:
            if self._is_idle_closed():
                self._disconnect()
            self._connection.request("GET", PREDICT)
            reply = read_reply(self._connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(error)
            if not self._may_fail:
                raise StopIteration from None
            self._connection.close()
            return
        self.replies.append(reply)
        if reply.headers["Connection"] == "close":
            self._disconnect()

    def _is_idle_closed(self) -> bool:
        sock = self._connection.sock
        return sock is not None and bool(select.select([sock], [], [], 0)[0])

    def _disconnect(self) -> None:
        self._connection.close()
        if not self._reconnects:
            raise StopIteration

    def finish(self) -> None:
        """Stop sending requests, and wait for the thread to end."""
        self._finished.set()
        self.join(PATIENCE_SECONDS)


@contextmanager
def asking(
    site: Site, *, reconnects: bool = True, may_fail: bool = False
) -> Iterator[list[Client]]:
    """Run clients until the block ends; fail unless every reply is a prediction."""
    clients = [Client(site, reconnects=reconnects, may_fail=may_fail) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        until(lambda: all(client.replies or client.failures for client in clients))
        yield clients
    finally:
        for client in clients:
            client.finish()
    if not may_fail:
        failures = [failure for client in clients for failure in client.failures]
        assert not failures, failures
    assert {reply.status for client in clients for reply in client.replies} == {200}
