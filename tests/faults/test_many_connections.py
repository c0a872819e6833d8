"""As many connections at once as the server allows, and some more."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from serve.server.descriptor_limit import CONNECTIONS
from tests.integration.clients import PREDICT
from tests.integration.conftest import Site, receive, serving_copy, until
from tests.integration.test_overload import get_bytes

from .conftest import FULL

# A full run opens as many connections as the server allows, except for those of other clients.
COUNT = CONNECTIONS - 50 if FULL else 2_000
OTHERS = 20
# In a full run these exceed the limit of the server.
MORE = 100
ROUNDS = 2
# The most growth per connection; a leaked connection would hold several times as much.
GROWTH_BYTES = 1024


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    """Allow this process and the server to open as many connections as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, COUNT + 1_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def site(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server that refuses no request for its waiting time."""
    with serving_copy(trained, tmp_path / "own", QUEUE_SECONDS="600") as running:
        yield running


def ask_on(connections: list[socket.socket]) -> None:
    """Send a request on each connection at once; each must get a prediction."""
    for connection in connections:
        connection.sendall(get_bytes(PREDICT))
    assert {receive(connection).status for connection in connections} == {200}


def connect_ask_and_close(site: Site, process: psutil.Process) -> None:
    """Open all connections, ask on each, keep them while other clients ask, and close them."""
    before = process.num_fds()
    with ExitStack() as stack:
        connections = [stack.enter_context(site.connect()) for _ in range(COUNT)]
        until(lambda: process.num_fds() >= before + COUNT)
        ask_on(connections)
        for _ in range(OTHERS):
            assert site.get(PREDICT).status == 200
        late = [stack.enter_context(site.connect()) for _ in range(MORE)]
        for connection in late:
            connection.sendall(get_bytes(PREDICT))
        for connection in connections[:MORE]:
            connection.close()
        assert {receive(connection).status for connection in late} == {200}
    until(lambda: process.num_fds() < before + OTHERS)


def test_thousands_of_connections_are_all_answered_and_leak_nothing(site: Site) -> None:
    """Connections beyond the limit wait; a second round needs no more memory or threads."""
    process = psutil.Process(site.process.pid)
    resident_bytes: list[int] = []
    threads = process.num_threads()
    for _ in range(ROUNDS):
        connect_ask_and_close(site, process)
        resident_bytes.append(process.memory_info().rss)
    assert resident_bytes[-1] - resident_bytes[0] < COUNT * GROWTH_BYTES
    assert process.num_threads() == threads
    assert site.get(PREDICT).status == 200
    assert "Traceback" not in site.log.read_text()
