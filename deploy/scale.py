"""Measure time and memory at several numbers of records: import, plan, once, status, reads, pages.

Usage: python -m deploy.scale [RECORDS ...]

Each number gets a store of its own, on SQLite unless DATABASE_URL names an empty PostgreSQL. The
enrichers are language and text_profile; above a million records nothing is enriched, since that
would take hours and show nothing new.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from sqlalchemy import Connection, Text, case, cast, literal, select, update

from db.admin.read_benchmark import measure_reads
from db.queue.planner import plan_chunks
from db.records.dataset import find_dataset
from db.settings import load_settings
from db.store import tables
from db.store.store import Store, open_store

ROOT = Path(__file__).parent.parent
SPEC = """
name = "scale"
kind = "classification"
target = "label"
[fields.sentence]
type = "text"
[enrichers.language]
config.among = ["fr", "en", "de", "es", "it"]
[enrichers.text_profile]
"""
MAX_ENRICHED = 1_000_000
PLANS = 5
READ_SECONDS = 5.0
BODY = b'{"dataset":"scale","prediction":"a"}'.ljust(240)
PAGES = 20
START_SECONDS = 60.0
# The last two filter the rows that an index finds by a second condition.
LISTINGS = (
    *("", "label=rare", "prediction=rare", "label=rare&prediction=common", "show=disagreements"),
    *("show=uncertain", "show=issues", "show=duplicates"),
    *("show=uncertain&label=rare", "show=disagreements&prediction=rare"),
)
WORDS = (
    "un une le la je cherche trouve réserve train avion hôtel resto demain ce soir vite pas cher"
    " près de Lyon Paris Nantes Lille Brest merci bonjour svp combien quand où billet place film"
)


def main() -> None:
    """Measure each number of records."""
    print(f"{'records':>10}  {'step':<34} {'seconds':>10} {'peak MiB':>9} {'CPU s':>7}")
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), count)


def measure(folder: Path, count: int) -> None:
    """Measure one number of records in a new store."""
    environment = {"DATABASE_URL": f"sqlite:///{folder}/scale.db", **os.environ}
    spec, data = folder / "scale.toml", folder / "scale.csv"
    spec.write_text(SPEC, "utf-8")
    write_sentences(data, count)
    run(environment, "db", "upgrade")
    run(environment, "db", "load", str(spec))
    print_figure(count, "import", *run(environment, "db", "import", "scale", str(data)))
    store = open_store(load_settings(environment))
    print_figure(count, "plan", plan_seconds(store))
    if count <= MAX_ENRICHED:
        print_figure(count, "once", *run(environment, "enrich", "once"))
    print_figure(count, "status", *run(environment, "db", "status"))
    predict_all(store)
    reads = measure_reads(store, "scale", READ_SECONDS)
    print_figure(count, "read a prediction, p50", reads.p50_microseconds / 1e6)
    print_figure(count, "read a prediction, p99", reads.p99_microseconds / 1e6)
    fill_listing_columns(store)
    store.close()
    for query, seconds, mebibytes in page_seconds(environment):
        print_figure(count, query, seconds, mebibytes)


def print_figure(
    count: int,
    step: str,
    seconds: float,
    mebibytes: float | None = None,
    cpu_seconds: float | None = None,
) -> None:
    """Print one line of the table."""
    memory = "" if mebibytes is None else f"{mebibytes:.0f}"
    cpu = "" if cpu_seconds is None else f"{cpu_seconds:.1f}"
    print(f"{count:>10,}  {step:<34} {seconds:>10.6g} {memory:>9} {cpu:>7}", flush=True)


def plan_seconds(store: Store) -> float:
    """Return the shortest time to plan a worker's chunks while every record is stale."""
    with store.writing() as connection:
        return min(_plan(connection) for _ in range(PLANS))


def _plan(connection: Connection) -> float:
    savepoint = connection.begin_nested()
    connection.execute(update(tables.dataset).values(revision=tables.dataset.c.revision + 1))
    dataset, began = find_dataset(connection, "scale"), time.perf_counter()
    assert plan_chunks(connection, dataset, workers=1)  # noqa: S101  or it has measured nothing
    seconds = time.perf_counter() - began
    savepoint.rollback()
    return seconds


def predict_all(store: Store) -> None:
    """Insert a prediction of realistic length for every record."""
    predictions = select(
        tables.record.c.dataset_id,
        tables.record.c.key,
        literal(BODY),
        literal("scale"),
        literal(0.0),
    )
    names = ["dataset_id", "key", "body", "fingerprint", "made_at"]
    with store.writing() as connection:
        connection.execute(tables.prediction.insert().from_select(names, predictions))


def fill_listing_columns(store: Store) -> None:
    """Set the columns that listings filter by: label, answer, score, issue, duplicates."""
    number = tables.record.c.id
    label, answer = (case((number % size == 0, "rare"), else_="common") for size in (10, 11))
    values = {
        "label": case((number % 2 == 0, label)),
        "answer": answer,
        "score": (number % 997) / 997.0,
        "issue": number % 50 == 0,
        "duplicates": case((number % 20 == 0, cast(number / 60, Text))),
    }
    with store.writing() as connection:
        connection.execute(update(tables.record).values(**values))


def page_seconds(environment: dict[str, str]) -> Iterator[tuple[str, float, float]]:
    """Yield each listing, the seconds of its slowest page, and the web process's MiB after it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "serve"],
        cwd=ROOT,
        env={**environment, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    ) as web:
        wait_until_up(port)
        for query in LISTINGS:
            slowest = read_pages(port, query)
            yield f"?{query}", slowest, held_mebibytes(web.pid)
        web.terminate()


def wait_until_up(port: int) -> None:
    """Wait until the web process answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            read(port, "/livez")
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"the web process did not start within {START_SECONDS:g} s")


def read_pages(port: int, query: str) -> float:
    """Follow the links of a listing's first pages; return the seconds of the slowest page."""
    target, slowest = f"/records/scale?{query}", 0.0
    for _ in range(PAGES):
        began = time.perf_counter()
        page = read(port, target)
        slowest = max(slowest, time.perf_counter() - began)
        next_link = re.search(r'rel="next" href="([^"]+)"', page)
        if next_link is None:
            break
        target = unescape(next_link[1])
    return slowest


def read(port: int, target: str) -> str:
    """Return a page as text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", target, headers={"Accept": "text/html"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def held_mebibytes(pid: int) -> float:
    """Return the PSS of a process, in which it has its part of shared memory."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024


def write_sentences(path: Path, count: int) -> None:
    """Write a CSV file of `count` distinct sentences without labels."""
    words = WORDS.split()
    generator = random.Random(1)  # noqa: S311  a sample, not a secret
    with path.open("w", encoding="utf-8") as file:
        file.write("sentence,label\n")
        for number in range(count):
            sentence = " ".join(generator.choices(words, k=generator.randint(3, 12)))
            file.write(f"{sentence} {number},\n")


def run(environment: dict[str, str], package: str, *arguments: str) -> tuple[float, float, float]:
    """Run `python -m PACKAGE`; return its seconds, the peak MiB of its largest process, its CPU.

    The seconds of CPU are those of the process and its children; other programs hardly change them.
    """
    started = time.monotonic()
    command = [sys.executable, "-m", package, *arguments]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.monotonic() - started, peak(usage), usage.ru_utime + usage.ru_stime


def peak(usage: resource.struct_rusage) -> float:
    """Return the largest resident size in MiB of the process or any of its children."""
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
