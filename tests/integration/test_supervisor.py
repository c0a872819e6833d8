"""Several web processes on one port: each is replaced when it ends, all of them on SIGHUP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT, command_environment, make_store
from tests.processes import PATIENCE_SECONDS, children_of, is_gone

from .clients import PREDICT, asking, set_schema
from .conftest import Site, free_port, serving_copy, until

PROCESSES = 2
REQUESTS = 40
ROUTE = "/predict/<name>"


@pytest.fixture
def supervisor(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Give a server of two processes on a store of its own."""
    count = str(PROCESSES)
    with serving_copy(trained, tmp_path / "crew", WEB_CONCURRENCY=count) as running:
        until(lambda: len(children_of(running.process.pid)) == PROCESSES)
        yield running


def members(site: Site) -> set[int]:
    """Return the ids of the processes that serve, once there are as many as there should be."""
    until(lambda: len(children_of(site.process.pid)) == PROCESSES)
    return children_of(site.process.pid)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process do nothing until the block's end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def figure(site: Site, name: str, **labels: str) -> float:
    """Return a figure of /metrics, 0 where it is not there."""
    for family in text_string_to_metric_families(site.get("/metrics").body.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0.0


def predictions(site: Site) -> float:
    """Return how many predictions all processes have given, as one of them says it."""
    return figure(site, "veilleuse_requests_total", route=ROUTE, method="GET", status="200")


def test_each_process_answers_on_the_one_port(supervisor: Site) -> None:
    """Even while the other one can do nothing."""
    pids = members(supervisor)
    for pid in pids:
        with stopped(pid):
            assert supervisor.get(PREDICT).status == 200
    assert members(supervisor) == pids


def test_a_killed_process_is_replaced_and_the_other_answers_meanwhile(supervisor: Site) -> None:
    """Those that die again and again are waited for a little longer each time."""
    survivor, victim = members(supervisor)
    parent = supervisor.process.pid
    for _ in range(3):
        os.kill(victim, signal.SIGKILL)
        until(lambda gone=victim: gone not in children_of(parent))  # type: ignore[misc]
        assert supervisor.get(PREDICT).status == 200
        (victim,) = members(supervisor) - {survivor}
    until(lambda: supervisor.log.read_text().count("ended by SIGKILL; another starts in") == 3)


def test_sighup_replaces_every_process_and_no_request_is_lost(supervisor: Site) -> None:
    """The parent stays, for whoever watches it."""
    before = members(supervisor)
    with asking(supervisor) as clients:
        supervisor.process.send_signal(signal.SIGHUP)
        until(lambda: not before & members(supervisor))
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert supervisor.process.poll() is None
    answered = sum(len(client.replies) for client in clients)
    # What the old processes had counted counts on.
    until(lambda: predictions(supervisor) == answered)


def test_sighup_twice_replaces_every_process_twice(supervisor: Site) -> None:
    """The code that takes the old one's place can be replaced in its turn."""
    before = members(supervisor)
    for _ in range(2):
        supervisor.process.send_signal(signal.SIGHUP)
        until(lambda old=before: not old & members(supervisor))  # type: ignore[misc]
        before = members(supervisor)
        assert supervisor.get(PREDICT).status == 200


def test_sighup_when_it_would_not_start_leaves_the_processes_serving(supervisor: Site) -> None:
    """The log says so; once it is mended, SIGHUP works."""
    before = members(supervisor)
    version = set_schema(supervisor, "0000")
    supervisor.process.send_signal(signal.SIGHUP)
    until(lambda: "not restarted" in supervisor.log.read_text())
    assert members(supervisor) == before
    assert supervisor.get(PREDICT).status == 200
    set_schema(supervisor, version)
    supervisor.process.send_signal(signal.SIGHUP)
    until(lambda: not before & members(supervisor))


def test_sigterm_under_load_loses_no_request(supervisor: Site) -> None:
    """Every client gets whole answers until it is told that its connection ends."""
    with asking(supervisor, reconnects=False) as clients:
        supervisor.process.terminate()
        assert supervisor.process.wait(PATIENCE_SECONDS) == 0
        until(lambda: not any(client.is_alive() for client in clients))
    assert "Traceback" not in supervisor.log.read_text()


@pytest.fixture
def parent(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Give a server that may be killed, and its port."""
    make_store(sqlite_url).close()
    port = free_port()
    given = {"PORT": str(port), "WEB_CONCURRENCY": str(PROCESSES), "TMPDIR": str(tmp_path)}
    with (tmp_path / "log.txt").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve"],
            cwd=ROOT,
            env=command_environment(sqlite_url, **given),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    yield process, port
    process.kill()
    process.wait()


def is_refused(port: int) -> bool:
    """Tell whether nobody listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    return False


def test_processes_whose_parent_is_killed_end_by_themselves(
    parent: tuple[subprocess.Popen[bytes], int],
) -> None:
    """Else they would hold the port, and nobody could start anew."""
    process, port = parent
    until(lambda: len(children_of(process.pid)) == PROCESSES and not is_refused(port))
    pids = children_of(process.pid)
    process.kill()
    process.wait()
    until(lambda: all(map(is_gone, pids)))
    assert is_refused(port)


def settle(site: Site, count: float) -> None:
    """Wait until each process knows of so many predictions, also what the other has counted."""

    def is_known_to_each() -> bool:
        for pid in members(site):
            with stopped(pid):
                if predictions(site) != count:
                    return False
        return True

    until(is_known_to_each)


def test_the_figures_of_both_processes_are_added_up(supervisor: Site) -> None:
    """Whichever of them tells."""
    for pid in members(supervisor):
        with stopped(pid):
            for _ in range(REQUESTS // PROCESSES):
                assert supervisor.get(PREDICT).status == 200
    settle(supervisor, REQUESTS)
    until(lambda: figure(supervisor, "veilleuse_web_processes") == PROCESSES)


def test_the_counts_of_a_killed_process_are_kept_once(supervisor: Site) -> None:
    """A count that fell would look like a restart of everything."""
    for _ in range(REQUESTS):
        assert supervisor.get(PREDICT).status == 200
    settle(supervisor, REQUESTS)
    for victim in members(supervisor):
        os.kill(victim, signal.SIGKILL)
        until(lambda gone=victim: is_gone(gone))  # type: ignore[misc]
        assert predictions(supervisor) == REQUESTS
        until(lambda gone=victim: gone not in members(supervisor))  # type: ignore[misc]
        assert predictions(supervisor) == REQUESTS
    until(lambda: figure(supervisor, "veilleuse_web_processes") == PROCESSES)
