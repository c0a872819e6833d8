"""As many connections at once as the server has room for, and some more."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from serve.server.waitress_server import CONNECTIONS
from tests.integration.clients import PREDICT
from tests.integration.conftest import Site, receive, serving_copy, until
from tests.integration.test_overload import get_bytes

from .conftest import FULL

# In full all that there is room for, but for those who come besides.
COUNT = CONNECTIONS - 50 if FULL else 2_000
OTHERS = 20
# In full more than there is room for.
MORE = 100
ROUNDS = 2
# A connection that was forgotten would hold several times as much.
GROWTH_BYTES = 1024


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    """Let this process, and the server, open as many connections as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, COUNT + 1_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def site(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Give a server for which no request waits too long."""
    with serving_copy(trained, tmp_path / "own", QUEUE_SECONDS="600") as running:
        yield running


def ask_on(connections: list[socket.socket]) -> None:
    """Ask on each of them at once; every one must get a prediction."""
    for connection in connections:
        connection.sendall(get_bytes(PREDICT))
    assert {receive(connection).status for connection in connections} == {200}


def come_and_go(site: Site, process: psutil.Process) -> None:
    """Have all of them come, ask, stay while others ask, and leave."""
    before = process.num_fds()
    with ExitStack() as stack:
        crowd = [stack.enter_context(site.connect()) for _ in range(COUNT)]
        until(lambda: process.num_fds() >= before + COUNT)
        ask_on(crowd)
        for _ in range(OTHERS):
            assert site.get(PREDICT).status == 200
        late = [stack.enter_context(site.connect()) for _ in range(MORE)]
        for connection in late:
            connection.sendall(get_bytes(PREDICT))
        for connection in crowd[:MORE]:
            connection.close()
        assert {receive(connection).status for connection in late} == {200}
    until(lambda: process.num_fds() < before + OTHERS)


def test_thousands_of_connections_keep_nobody_out_and_leave_nothing_behind(site: Site) -> None:
    """Those beyond the limit wait until there is room; the same again needs no more memory."""
    process = psutil.Process(site.process.pid)
    held: list[int] = []
    threads = process.num_threads()
    for _ in range(ROUNDS):
        come_and_go(site, process)
        held.append(process.memory_info().rss)
    assert held[-1] - held[0] < COUNT * GROWTH_BYTES
    assert process.num_threads() == threads
    assert site.get(PREDICT).status == 200
    assert "Traceback" not in site.log.read_text()
