"""Thousands of users, started at a fixed rate, who each send a request every few seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.load.generator import LoadResult, run_load
from benchmark.load.run_plan import ARRIVAL_SECONDS, Plan, make_mark
from benchmark.load.scenario import Scenario
from benchmark.percentile import format_failures, percentiles
from benchmark.processes import free_port
from benchmark.target.nginx import running_nginx
from benchmark.verdict import reasons_invalid

from .harness import (
    LOAD_CORE,
    SERVER_CORE,
    ComparisonSetup,
    Server,
    serving,
    veilleuse_server,
)

STEADY_SECONDS = 60


@contextmanager
def serving_directly(server: Server) -> Iterator[int]:
    """Run a server while the block runs, and yield its port."""
    port = free_port()
    with serving(server, port):
        yield port


@contextmanager
def serving_behind_nginx(server: Server) -> Iterator[int]:
    """Run a server with nginx in front of it on the same core, and yield nginx's port."""
    with serving_directly(server) as server_port, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with running_nginx(Path(folder), port, server_port, cores=SERVER_CORE):
            yield port


def run_users(setup: ComparisonSetup, port: int, count: int, spawn_rate: int) -> str:
    """Start users at a rate, let them stay for a while, and return the figures as a line.

    Times and rates are those of the steady phase, in which all users are there.
    """
    ramp_up = count / spawn_rate + ARRIVAL_SECONDS
    steady = setup.scale.apply(STEADY_SECONDS)
    scenario = Scenario(
        about="many users",
        asks="mixed",
        objectives=(),
        users=count,
        spawn_rate=spawn_rate,
        seconds=ramp_up + steady,
    )
    plan = Plan(scenario, str(setup.folder), make_mark(), str(setup.rows))
    load = run_load(plan, f"http://127.0.0.1:{port}", {}, LOAD_CORE)
    return summary_line(load, load.between(ramp_up, ramp_up + steady), steady) + "".join(
        f"  INVALID: {reason}" for reason in reasons_invalid(scenario, load)
    )


def summary_line(whole: LoadResult, part: LoadResult, seconds: float) -> str:
    """Return the rate and the times of a part of a run, and the failures of the whole run."""
    figures = percentiles(part.milliseconds[part.good].tolist())
    kinds = format_failures(whole.failures)
    return (
        f"{part.good.sum() / seconds:6.0f} requests/s"
        f"  p50 {figures['p50']:.2f} p95 {figures['p95']:.2f} p99 {figures['p99']:.2f} ms"
        f"  failures {sum(whole.failures.values())} of {len(whole)}{kinds and f' ({kinds})'}"
        f"  generator {part.ticks[:, 3].mean():.0%} of its core"
    )


def users(setup: ComparisonSetup) -> None:
    """1,000 users, ten more per second, each with a request every 1 to 5 s, on one process."""
    with serving_directly(veilleuse_server(setup)) as port:
        line = run_users(setup, port, setup.scale.apply(1000), 10)
    print(f"  {'one process':<28} {line}", flush=True)


def crowd(setup: ComparisonSetup) -> None:
    """5,000 users, fifty more per second, each with a request every 1 to 5 s."""
    for name, serving_as, settings in (
        ("nginx, two processes", serving_behind_nginx, {"WEB_CONCURRENCY": "2"}),
        ("granian", serving_directly, {"SERVER": "granian"}),
        ("waitress, one process", serving_directly, {}),
    ):
        with serving_as(veilleuse_server(setup, name, **settings)) as port:
            line = run_users(setup, port, setup.scale.apply(5000), 50)
        print(f"  {name:<28} {line}", flush=True)
