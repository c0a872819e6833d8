"""What a thousand open connections take in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

from benchmark.processes import free_port, tree_mebibytes
from benchmark.target.postgres import running_postgres

from .harness import Server, Site, fit_peer_model, load, ours, peer_servers, serving, site, turn

CONNECTIONS = 1000
SETTLE_SECONDS = 2
PATIENCE_SECONDS = 60
PEER = "FastAPI + uvicorn"


@contextmanager
def asked_once(port: int, paths: list[str]) -> Iterator[int]:
    """Open a connection a path, ask for it, and keep the connection; gives how many failed."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(HTTPConnection("127.0.0.1", port, PATIENCE_SECONDS)))
            for _ in paths
        ]
        for one, path in zip(opened, paths, strict=True):
            one.request("GET", path)
        yield sum(not _is_well(one) for one in opened)


def _is_well(asked: HTTPConnection) -> bool:
    """Tell whether the answer is a good one, and its connection still open."""
    answer = asked.getresponse()
    answer.read()
    return answer.status == 200 and asked.sock is not None  # noqa: PLR2004


def mebibytes_held(site: Site, port: int, pid: int, mark: str) -> float:
    """Return the memory of a process tree while so many connections are open."""
    count = site.effort.of(CONNECTIONS)
    known = site.paths().read_text("ascii").splitlines()
    paths = [f"{known[at % len(known)]}+{mark}{at}" for at in range(count)]
    with asked_once(port, paths) as failures:
        if failures:
            print(f"  {failures} of {count} connections failed", flush=True)
        time.sleep(SETTLE_SECONDS)
        return tree_mebibytes(pid)


def _show_held(site: Site, server: Server) -> None:
    port = free_port()
    with serving(server, port) as process:
        time.sleep(SETTLE_SECONDS)
        first = tree_mebibytes(process.pid)
        held = mebibytes_held(site, port, process.pid, "h")
    print(f"  {server.name:<28} {first:.1f} MiB at the start, {held:.1f} MiB", flush=True)


@contextmanager
def on_postgresql(like: Site) -> Iterator[Site]:
    """Give the same site on a real PostgreSQL."""
    with running_postgres() as url, site(like.data, like.effort, url) as other:
        yield other


def load_varied(site: Site, port: int, count: int, mark: str) -> int:
    """Ask for at least so many inputs never seen; returns how many they were."""
    asked = 0
    while asked < count:
        asked += int(load(port, site.paths(), f"{mark}{asked}x", turn(site))["requests"])
    return asked


def _show_varied(site: Site) -> None:
    """Print one process's memory before, after a tenth of the varied inputs, and after all."""
    port, count = free_port(), site.effort.varied
    with serving(ours(site), port) as process:
        before = mebibytes_held(site, port, process.pid, "b")
        tenth = load_varied(site, port, count // 10, "t")
        between = mebibytes_held(site, port, process.pid, "m")
        asked = tenth + load_varied(site, port, count - tenth, "v")
        after = mebibytes_held(site, port, process.pid, "a")
    print(
        f"  one process                  {before:.1f} MiB, {between:.1f} MiB after {tenth:,} inputs"
        f" never seen, {after:.1f} MiB after {asked:,}: {after / before:.2f} × of before",
        flush=True,
    )


def connections(site: Site) -> None:
    """PSS of the process tree with a thousand connections open that have each asked once."""
    fit_peer_model(site)
    _show_held(site, ours(site, "one process"))
    _show_held(site, ours(site, "two processes", WEB_CONCURRENCY="2"))
    with on_postgresql(site) as other:
        _show_held(other, ours(other, "one process, PostgreSQL"))
    _show_held(site, next(one for one in peer_servers(site) if one.name == PEER))
    _show_varied(site)
