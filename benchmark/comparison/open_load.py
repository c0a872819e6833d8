"""Crowds: thousands of users who each ask every few seconds, and those who arrive meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.load.generator import Seen, play
from benchmark.load.plan import ARRIVAL_SECONDS, Plan, make_mark
from benchmark.load.scenario import Scenario
from benchmark.percentile import kinds_of, percentiles
from benchmark.processes import free_port
from benchmark.target.nginx import running_nginx
from benchmark.verdict import reasons_invalid

from .harness import LOAD_CORE, SERVER_CORE, Server, Site, ours, serving

STEADY_SECONDS = 60


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
        with running_nginx(Path(folder), before, behind, cores=SERVER_CORE):
            yield before


def visit(site: Site, port: int, count: int, arrivals: int) -> str:
    """Let so many users arrive, so many a second, and stay; returns what they saw."""
    rise = count / arrivals + ARRIVAL_SECONDS
    steady = site.effort.of(STEADY_SECONDS)
    scenario = Scenario(
        about="a crowd",
        asks="mixed",
        objectives=(),
        users=count,
        spawn_rate=arrivals,
        seconds=rise + steady,
    )
    plan = Plan(scenario, str(site.folder), make_mark(), str(site.rows))
    seen = play(plan, f"http://127.0.0.1:{port}", {}, LOAD_CORE)
    return line(seen, seen.between(rise, rise + steady), steady) + "".join(
        f"  INVALID: {doubt}" for doubt in reasons_invalid(scenario, seen)
    )


def line(whole: Seen, part: Seen, seconds: float) -> str:
    """Return failures of a whole run, and the times and the rate of a part of it."""
    figures = percentiles(part.milliseconds[part.good].tolist())
    kinds = kinds_of(whole.failures)
    return (
        f"{part.good.sum() / seconds:6.0f} requests/s"
        f"  p50 {figures['p50']:.2f} p95 {figures['p95']:.2f} p99 {figures['p99']:.2f} ms"
        f"  failures {sum(whole.failures.values())} of {len(whole)}{kinds and f' ({kinds})'}"
        f"  generator {part.ticks[:, 3].mean():.0%} of its core"
    )


def users(site: Site) -> None:
    """A thousand users, ten more each second, who ask every 1 to 5 s: one process."""
    with directly(ours(site)) as port:
        found = visit(site, port, site.effort.of(1000), 10)
    print(f"  {'one process':<28} {found}", flush=True)


def crowd(site: Site) -> None:
    """Five thousand users, fifty more each second, who ask every 1 to 5 s."""
    for name, way, settings in (
        ("nginx, two processes", behind_nginx, {"WEB_CONCURRENCY": "2"}),
        ("granian", directly, {"SERVER": "granian"}),
        ("waitress, one process", directly, {}),
    ):
        with way(ours(site, name, **settings)) as port:
            found = visit(site, port, site.effort.of(5000), 50)
        print(f"  {name:<28} {found}", flush=True)
