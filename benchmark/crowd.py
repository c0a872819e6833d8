"""Crowds: thousands of users who each ask every few seconds, and those who arrive meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .command import ROOT, free_port
from .nginx import configure, nginx_command
from .stand import LOAD_CORE, Server, Site, ours, serving

STEADY_SECONDS = 60
# A generator that is busier than this measures itself.
MOST_GENERATOR_CPU = 0.9
STOP_SECONDS = 70


@contextmanager
def directly(server: Server) -> Iterator[int]:
    """Serve; gives the port."""
    port = free_port()
    with serving(server, port):
        yield port


@contextmanager
def behind_nginx(server: Server) -> Iterator[int]:
    """Serve with nginx in front, on the same core; gives nginx's port."""
    with directly(server) as behind, tempfile.TemporaryDirectory() as folder:
        before = free_port()
        command = nginx_command(configure(Path(folder), before, behind))
        with serving(Server("nginx", command, server.environment, server.ready), before):
            yield before


def play(site: Site, port: int, count: int, arrivals: int) -> dict[str, Any]:
    """Let so many users arrive, so many a second, and stay; returns what they saw."""
    figures = site.folder / "figures.json"
    figures.unlink(missing_ok=True)
    command = ["/usr/bin/taskset", "-c", LOAD_CORE, sys.executable, "-m", "locust"]
    command += ["-f", "benchmark/users.py", "--headless", "--only-summary", "--loglevel=ERROR"]
    command += [f"--host=http://127.0.0.1:{port}", f"-u{count}", f"-r{arrivals}"]
    command += [f"--stop-timeout={STOP_SECONDS}", "--exit-code-on-error=0"]
    environment = {
        **site.environment,
        "PATHS": str(site.paths()),
        "STEADY_SECONDS": str(site.effort.of(STEADY_SECONDS)),
        "FIGURES": str(figures),
    }
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)  # noqa: S603
    found: dict[str, Any] = json.loads(figures.read_text("utf-8"))
    return found


def line(figures: dict[str, Any]) -> str:
    """Return what users saw, and whether it may be believed."""
    failures = figures["failures"]
    kinds = ", ".join(f"{number} × {kind}" for kind, number in sorted(failures.items()))
    generator = figures["generator"]
    return (
        f"{figures['rate']:6.0f} requests/s"
        f"  p50 {figures['p50']:.2f} p95 {figures['p95']:.2f} p99 {figures['p99']:.2f} ms"
        f"  failures {sum(failures.values())} of {figures['asked']}{kinds and f' ({kinds})'}"
        f"  generator {generator:.0%} of its core"
        f"{'  INVALID: it measured itself' if generator > MOST_GENERATOR_CPU else ''}"
    )


def users(site: Site) -> None:
    """A thousand users, ten more each second, who ask every 1 to 5 s: one process."""
    with directly(ours(site)) as port:
        found = play(site, port, site.effort.of(1000), 10)
    print(f"  {'one process':<28} {line(found)}", flush=True)


def crowd(site: Site) -> None:
    """Five thousand users, fifty more each second, who ask every 1 to 5 s."""
    for name, way, settings in (
        ("nginx, two processes", behind_nginx, {"WEB_CONCURRENCY": "2"}),
        ("granian", directly, {"SERVER": "granian"}),
        ("waitress, one process", directly, {}),
    ):
        with way(ours(site, name, **settings)) as port:
            found = play(site, port, site.effort.of(5000), 50)
        print(f"  {name:<28} {line(found)}", flush=True)
