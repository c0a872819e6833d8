"""Several web processes on one port: each is replaced when it ends, and all on SIGHUP."""

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
    """Yield a server with two web processes on its own store."""
    count = str(PROCESSES)
    with serving_copy(trained, tmp_path / "supervisor", WEB_CONCURRENCY=count) as running:
        until(lambda: running.log.read_text().count("listens on") == PROCESSES)
        yield running


def web_processes(site: Site) -> set[int]:
    """Wait until all web processes run, and return their ids."""
    until(lambda: len(children_of(site.process.pid)) == PROCESSES)
    return children_of(site.process.pid)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process until the block ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def metric(site: Site, name: str, **labels: str) -> float:
    """Return a sample of /metrics, or 0 if it is missing."""
    for family in text_string_to_metric_families(site.get("/metrics").body.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0.0


def predictions(site: Site) -> float:
    """Return the number of predictions of all processes, as one of them reports it."""
    return metric(site, "veilleuse_requests_total", route=ROUTE, method="GET", status="200")


def test_each_process_answers_on_the_one_port(supervisor: Site) -> None:
    """Each process answers while the other one is stopped."""
    pids = web_processes(supervisor)
    for pid in pids:
        with stopped(pid):
            assert supervisor.get(PREDICT).status == 200
    assert web_processes(supervisor) == pids


def test_a_killed_process_is_replaced_and_the_other_answers_meanwhile(supervisor: Site) -> None:
    """The delay before a restart grows each time a process dies again."""
    survivor, victim = web_processes(supervisor)
    parent = supervisor.process.pid
    for _ in range(3):
        os.kill(victim, signal.SIGKILL)
        until(lambda gone=victim: gone not in children_of(parent))  # type: ignore[misc]
        assert supervisor.get(PREDICT).status == 200
        (victim,) = web_processes(supervisor) - {survivor}
    until(lambda: supervisor.log.read_text().count("ended by SIGKILL; another starts in") == 3)


def test_sighup_replaces_every_process_and_no_request_is_lost(supervisor: Site) -> None:
    """The parent process stays the same for a process manager."""
    before = web_processes(supervisor)
    with asking(supervisor) as clients:
        supervisor.process.send_signal(signal.SIGHUP)
        until(lambda: not before & web_processes(supervisor))
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert supervisor.process.poll() is None
    answered = sum(len(client.replies) for client in clients)
    # The counts of the old processes are kept.
    until(lambda: predictions(supervisor) == answered)


def test_sighup_twice_replaces_every_process_twice(supervisor: Site) -> None:
    """The new processes can be replaced again."""
    before = web_processes(supervisor)
    for _ in range(2):
        supervisor.process.send_signal(signal.SIGHUP)
        until(lambda old=before: not old & web_processes(supervisor))  # type: ignore[misc]
        before = web_processes(supervisor)
        assert supervisor.get(PREDICT).status == 200


def test_sighup_leaves_the_processes_serving_if_new_ones_would_not_start(supervisor: Site) -> None:
    """The log reports it; SIGHUP works again once the cause is fixed."""
    before = web_processes(supervisor)
    version = set_schema(supervisor, "0000")
    supervisor.process.send_signal(signal.SIGHUP)
    until(lambda: "not restarted" in supervisor.log.read_text())
    assert web_processes(supervisor) == before
    assert supervisor.get(PREDICT).status == 200
    set_schema(supervisor, version)
    supervisor.process.send_signal(signal.SIGHUP)
    until(lambda: not before & web_processes(supervisor))


def test_sigterm_under_load_loses_no_request(supervisor: Site) -> None:
    """Every client gets complete answers until the server closes its connection."""
    with asking(supervisor, reconnects=False) as clients:
        supervisor.process.terminate()
        assert supervisor.process.wait(PATIENCE_SECONDS) == 0
        until(lambda: not any(client.is_alive() for client in clients))
    assert "Traceback" not in supervisor.log.read_text()


@pytest.fixture
def parent(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Yield a server process that a test may kill, and its port."""
    make_store(sqlite_url).close()
    port = free_port()
    settings = {"PORT": str(port), "WEB_CONCURRENCY": str(PROCESSES), "TMPDIR": str(tmp_path)}
    with (tmp_path / "log.txt").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve"],
            cwd=ROOT,
            env=command_environment(sqlite_url, **settings),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    yield process, port
    process.kill()
    process.wait()


def is_refused(port: int) -> bool:
    """Return whether connections to a port are refused."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    return False


def test_processes_whose_parent_is_killed_end_by_themselves(
    parent: tuple[subprocess.Popen[bytes], int],
) -> None:
    """Otherwise they would hold the port, and the server could not start again."""
    process, port = parent
    until(lambda: len(children_of(process.pid)) == PROCESSES and not is_refused(port))
    pids = children_of(process.pid)
    process.kill()
    process.wait()
    until(lambda: all(map(is_gone, pids)))
    assert is_refused(port)


def settle(site: Site, count: float) -> None:
    """Wait until each process reports this number of predictions for both together."""

    def is_known_to_each() -> bool:
        for pid in web_processes(site):
            with stopped(pid):
                if predictions(site) != count:
                    return False
        return True

    until(is_known_to_each)


def test_the_metrics_of_both_processes_are_added_up(supervisor: Site) -> None:
    """Either process reports the sum."""
    for pid in web_processes(supervisor):
        with stopped(pid):
            for _ in range(REQUESTS // PROCESSES):
                assert supervisor.get(PREDICT).status == 200
    settle(supervisor, REQUESTS)
    until(lambda: metric(supervisor, "veilleuse_web_processes") == PROCESSES)


def test_the_counts_of_a_killed_process_are_kept_once(supervisor: Site) -> None:
    """A count that fell would look like a restart of the whole server."""
    for _ in range(REQUESTS):
        assert supervisor.get(PREDICT).status == 200
    settle(supervisor, REQUESTS)
    for victim in web_processes(supervisor):
        os.kill(victim, signal.SIGKILL)
        until(lambda gone=victim: is_gone(gone))  # type: ignore[misc]
        assert predictions(supervisor) == REQUESTS
        until(lambda gone=victim: gone not in web_processes(supervisor))  # type: ignore[misc]
        assert predictions(supervisor) == REQUESTS
    until(lambda: metric(supervisor, "veilleuse_web_processes") == PROCESSES)
