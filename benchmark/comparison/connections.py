"""The memory of the web process with a thousand open connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

from benchmark.processes import free_port, tree_mebibytes
from benchmark.target.postgres import running_postgres

from .harness import (
    ComparisonSetup,
    Server,
    prepare_setup,
    round_load,
    run_wrk,
    serving,
    veilleuse_server,
)
from .peer_servers import FASTAPI_LINEAR_GRAPH, fit_text_peers, text_peers

CONNECTIONS = 1000
SETTLE_SECONDS = 2
TIMEOUT_SECONDS = 60


@contextmanager
def open_connections(port: int, paths: list[str]) -> Iterator[int]:
    """Send each path on a connection of its own, keep all open, and yield how many failed."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(HTTPConnection("127.0.0.1", port, TIMEOUT_SECONDS)))
            for _ in paths
        ]
        for connection, path in zip(opened, paths, strict=True):
            connection.request("GET", path)
        yield sum(not _is_kept_alive(connection) for connection in opened)


def _is_kept_alive(connection: HTTPConnection) -> bool:
    """Return True if the answer has status 200 and leaves the connection open."""
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200 and connection.sock is not None  # noqa: PLR2004


def connected_mebibytes(setup: ComparisonSetup, port: int, pid: int, mark: str) -> float:
    """Return the memory of a process tree while it holds the connections."""
    count = setup.scale.apply(CONNECTIONS)
    known = setup.paths().read_text("ascii").splitlines()
    paths = [f"{known[number % len(known)]}+{mark}{number}" for number in range(count)]
    with open_connections(port, paths) as failures:
        if failures:
            print(f"  {failures} of {count} connections failed", flush=True)
        time.sleep(SETTLE_SECONDS)
        return tree_mebibytes(pid)


def _print_connected(setup: ComparisonSetup, server: Server) -> None:
    port = free_port()
    with serving(server, port) as process:
        time.sleep(SETTLE_SECONDS)
        first = tree_mebibytes(process.pid)
        connected = connected_mebibytes(setup, port, process.pid, "h")
    print(
        f"  {server.name:<28} {first:.1f} MiB at the start, {connected:.1f} MiB connected",
        flush=True,
    )


@contextmanager
def on_postgresql(setup: ComparisonSetup) -> Iterator[ComparisonSetup]:
    """Yield the same setup on a real PostgreSQL."""
    with running_postgres() as url, prepare_setup(setup.data, setup.scale, url) as other:
        yield other


def send_unseen(setup: ComparisonSetup, port: int, count: int, mark: str) -> int:
    """Send at least `count` unseen inputs, and return how many were sent."""
    sent = 0
    while sent < count:
        figures = run_wrk(port, setup.paths(), f"+{mark}{sent}x", round_load(setup))
        sent += int(figures["requests"])
    return sent


def _print_after_unseen(setup: ComparisonSetup) -> None:
    """Print one process's memory before, after a tenth of the unseen inputs, and after all."""
    port, count = free_port(), setup.scale.varied
    with serving(veilleuse_server(setup), port) as process:
        before = connected_mebibytes(setup, port, process.pid, "b")
        tenth = send_unseen(setup, port, count // 10, "t")
        between = connected_mebibytes(setup, port, process.pid, "m")
        sent = tenth + send_unseen(setup, port, count - tenth, "v")
        after = connected_mebibytes(setup, port, process.pid, "a")
    print(
        f"  one process                  {before:.1f} MiB, {between:.1f} MiB after {tenth:,} unseen"
        f" inputs, {after:.1f} MiB after {sent:,}: {after / before:.2f} × the first",
        flush=True,
    )


def connections(setup: ComparisonSetup) -> None:
    """PSS of the process tree with 1,000 open connections that each had one answer."""
    fit_text_peers(setup)
    _print_connected(setup, veilleuse_server(setup, "one process"))
    _print_connected(setup, veilleuse_server(setup, "two processes", WEB_CONCURRENCY="2"))
    with on_postgresql(setup) as other:
        _print_connected(other, veilleuse_server(other, "one process, PostgreSQL"))
    peers = {server.name: server for server in text_peers(setup)}
    _print_connected(setup, peers[FASTAPI_LINEAR_GRAPH])
    _print_after_unseen(setup)
