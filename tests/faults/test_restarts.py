"""Web processes that are restarted and killed while clients ask."""

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
    """Give a server of two processes on a store of its own."""
    with serving_copy(trained, tmp_path / "crew", WEB_CONCURRENCY=str(PROCESSES)) as running:
        members(running)
        yield running


def members(site: Site) -> set[int]:
    """Return the ids of the processes that serve, once there are as many as there should be."""
    parent = site.process.pid
    until(lambda: len(children_of(parent)) == PROCESSES)
    return children_of(parent)


@pytest.fixture
def single(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Give a server of one process on a store of its own."""
    with serving_copy(trained, tmp_path / "lone", WEB_CONCURRENCY="1") as running:
        until(lambda: listened(running) == 1)
        yield running


def age_seconds(pid: int) -> float:
    """Return how long a process has been there."""
    return time.time() - psutil.Process(pid).create_time()


def test_restarted_again_and_again_under_load_no_request_is_lost(group: Site) -> None:
    """SIGHUP replaces every process while all clients go on asking."""
    with asking(group) as clients:
        for _ in range(TIMES):
            before = members(group)
            group.process.send_signal(signal.SIGHUP)
            until(lambda old=before: not old & members(group))  # type: ignore[misc]
    assert group.process.poll() is None
    assert sum(len(client.replies) for client in clients) > TIMES


def test_a_lone_process_restarted_again_and_again_under_load_loses_no_request(single: Site) -> None:
    """SIGHUP makes today's code of it each time, and leaves nothing open behind."""
    process = psutil.Process(single.process.pid)
    opened: list[int] = []
    with asking(single) as clients:
        for time_number in range(TIMES):
            single.process.send_signal(signal.SIGHUP)
            until(lambda wanted=time_number + 2: listened(single) == wanted)  # type: ignore[misc]
            seen = [len(client.replies) for client in clients]
            until(lambda then=seen: _have_all_more(clients, then))  # type: ignore[misc]
            opened.append(process.num_fds())
    assert single.process.poll() is None
    assert not children_of(single.process.pid)
    assert max(opened) <= opened[0] + CLIENTS


def test_ended_again_and_again_under_load_no_accepted_request_is_lost(
    trained: Path, tmp_path: Path
) -> None:
    """SIGTERM answers every client until it is told that its connection ends."""
    for number in range(TIMES):
        with serving_copy(trained, tmp_path / str(number), WEB_CONCURRENCY="2") as site:
            members(site)
            with asking(site, reconnects=False) as clients:
                site.process.terminate()
                assert site.process.wait(PATIENCE_SECONDS) == 0
                until(lambda all_of=clients: not any(one.is_alive() for one in all_of))  # type: ignore[misc]


def test_a_process_that_is_killed_loses_at_most_what_it_was_at(group: Site) -> None:
    """Of each client one request, and everything after it is answered."""
    with asking(group, may_fail=True) as clients:
        for _ in range(TIMES):
            victim = next(iter(members(group)))
            # One that dies as soon as it starts is started again later and later; the system
            # tells its age to the second.
            until(lambda steady=victim: age_seconds(steady) > STEADY_SECONDS + 1)  # type: ignore[misc]
            os.kill(victim, signal.SIGKILL)
            until(lambda gone=victim: gone not in members(group))  # type: ignore[misc]
            seen = [len(client.replies) for client in clients]
            until(lambda then=seen: _have_all_more(clients, then))  # type: ignore[misc]
    assert all(client.is_alive() is False for client in clients)
    assert sum(len(client.failures) for client in clients) <= TIMES * CLIENTS


def _have_all_more(clients: list[Client], seen: list[int]) -> bool:
    """Tell whether each client has had an answer since."""
    return all(len(one.replies) > count for one, count in zip(clients, seen, strict=True))
