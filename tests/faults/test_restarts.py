"""Web processes that are restarted and killed while clients send requests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serve.server.supervisor import STEADY_SECONDS
from tests.integration.clients import CLIENTS, Client, asking, listened
from tests.integration.conftest import Site, serving_copy, until
from tests.processes import PATIENCE_SECONDS, children_of

from .conftest import FULL

TIMES = 100 if FULL else 3
PROCESSES = 2


@pytest.fixture
def group(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server of two processes on its own copy of the store."""
    with serving_copy(trained, tmp_path / "crew", WEB_CONCURRENCY=str(PROCESSES)) as running:
        web_processes(running)
        yield running


def web_processes(site: Site) -> set[int]:
    """Wait until PROCESSES web processes run, and return their ids."""
    parent = site.process.pid
    until(lambda: len(children_of(parent)) == PROCESSES)
    return children_of(parent)


@pytest.fixture
def single(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server of one process on its own copy of the store."""
    with serving_copy(trained, tmp_path / "single", WEB_CONCURRENCY="1") as running:
        until(lambda: listened(running) == 1)
        yield running


def age_seconds(pid: int) -> float:
    """Return how long a process has been running."""
    return time.time() - psutil.Process(pid).create_time()


def test_repeated_restarts_under_load_lose_no_request(group: Site) -> None:
    """SIGHUP replaces every process while all clients keep sending requests."""
    with asking(group) as clients:
        for _ in range(TIMES):
            before = web_processes(group)
            group.process.send_signal(signal.SIGHUP)
            until(lambda old=before: not old & web_processes(group))  # type: ignore[misc]
    assert group.process.poll() is None
    assert sum(len(client.replies) for client in clients) > TIMES


def test_repeated_restarts_of_a_single_process_under_load_lose_no_request(single: Site) -> None:
    """Each SIGHUP loads the current code and leaks no file descriptor."""
    process = psutil.Process(single.process.pid)
    opened: list[int] = []
    with asking(single) as clients:
        for number in range(TIMES):
            single.process.send_signal(signal.SIGHUP)
            until(lambda wanted=number + 2: listened(single) == wanted)  # type: ignore[misc]
            counts = [len(client.replies) for client in clients]
            until(lambda before=counts: _all_have_more_replies(clients, before))  # type: ignore[misc]
            opened.append(process.num_fds())
    assert single.process.poll() is None
    assert not children_of(single.process.pid)
    assert max(opened) <= opened[0] + CLIENTS


def test_repeated_terminations_under_load_lose_no_accepted_request(
    trained: Path, tmp_path: Path
) -> None:
    """After SIGTERM every request is answered until the server announces the connection's end."""
    for number in range(TIMES):
        with serving_copy(trained, tmp_path / str(number), WEB_CONCURRENCY="2") as site:
            web_processes(site)
            with asking(site, reconnects=False) as clients:
                site.process.terminate()
                assert site.process.wait(PATIENCE_SECONDS) == 0
                until(lambda all_of=clients: not any(client.is_alive() for client in all_of))  # type: ignore[misc]


def test_a_killed_process_loses_at_most_the_requests_in_progress(group: Site) -> None:
    """Each client loses at most one request per kill, and later requests are answered."""
    with asking(group, may_fail=True) as clients:
        for _ in range(TIMES):
            victim = next(iter(web_processes(group)))
            # A process that dies soon after its start is restarted with a growing delay; the system
            # reports its age in whole seconds.
            until(lambda steady=victim: age_seconds(steady) > STEADY_SECONDS + 1)  # type: ignore[misc]
            os.kill(victim, signal.SIGKILL)
            until(lambda gone=victim: gone not in web_processes(group))  # type: ignore[misc]
            counts = [len(client.replies) for client in clients]
            until(lambda before=counts: _all_have_more_replies(clients, before))  # type: ignore[misc]
    assert all(client.is_alive() is False for client in clients)
    assert sum(len(client.failures) for client in clients) <= TIMES * CLIENTS


def _all_have_more_replies(clients: list[Client], counts: list[int]) -> bool:
    """Return whether each client has more replies than its count."""
    pairs = zip(clients, counts, strict=True)
    return all(len(client.replies) > count for client, count in pairs)
