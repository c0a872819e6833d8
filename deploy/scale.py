"""What grows with the number of records: import, planning, once, status, looking up, pages.

Usage: python -m deploy.scale [RECORDS ...]; each number in a store of its own, on SQLite unless
DATABASE_URL names an empty PostgreSQL. Enrichers: language and text_profile; above a million
records nothing is enriched, which would take hours and shows nothing new.
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
from db.store.engine import Store, open_store

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
MOST_ENRICHED = 1_000_000
PLANS = 5
LOOK_UP_SECONDS = 5.0
BODY = b'{"dataset":"scale","prediction":"a"}'.ljust(240)
PAGES = 20
START_SECONDS = 60.0
# The last two choose, of what an index gives, by a second condition.
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
    """Measure each size."""
    print(f"{'records':>10}  {'what':<34} {'seconds':>10} {'peak MiB':>9}")
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), count)


def measure(folder: Path, count: int) -> None:
    """Measure one size in a store of its own."""
    environment = {"DATABASE_URL": f"sqlite:///{folder}/scale.db", **os.environ}
    spec, data = folder / "scale.toml", folder / "scale.csv"
    spec.write_text(SPEC, "utf-8")
    write_sentences(data, count)
    run(environment, "db", "upgrade")
    run(environment, "db", "load", str(spec))
    tell(count, "import", *run(environment, "db", "import", "scale", str(data)))
    store = open_store(load_settings(environment))
    tell(count, "plan", plan_seconds(store))
    if count <= MOST_ENRICHED:
        tell(count, "once", *run(environment, "enrich", "once"))
    tell(count, "status", *run(environment, "db", "status"))
    predict_all(store)
    found = measure_reads(store, "scale", LOOK_UP_SECONDS)
    tell(count, "look up", found.p50_microseconds / 1e6)
    tell(count, "(p99)", found.p99_microseconds / 1e6)
    mark_all(store)
    store.close()
    for what, seconds, mebibytes in page_seconds(environment):
        tell(count, what, seconds, mebibytes)


def tell(count: int, what: str, seconds: float, mebibytes: float | None = None) -> None:
    """Print a figure."""
    memory = "" if mebibytes is None else f"{mebibytes:.0f}"
    print(f"{count:>10,}  {what:<34} {seconds:>10.6g} {memory:>9}", flush=True)


def plan_seconds(store: Store) -> float:
    """Return how long it takes to plan a worker's chunks while every record is stale."""
    with store.writing() as connection:
        return min(_plan(connection) for _ in range(PLANS))


def _plan(connection: Connection) -> float:
    undone = connection.begin_nested()
    connection.execute(update(tables.dataset).values(revision=tables.dataset.c.revision + 1))
    found, began = find_dataset(connection, "scale"), time.perf_counter()
    assert plan_chunks(connection, found, workers=1)  # noqa: S101  else it has measured nothing
    seconds = time.perf_counter() - began
    undone.rollback()
    return seconds


def predict_all(store: Store) -> None:
    """Give every record a prediction as long as a real one."""
    of_record = select(
        tables.record.c.dataset_id,
        tables.record.c.key,
        literal(BODY),
        literal("scale"),
        literal(0.0),
    )
    names = ["dataset_id", "key", "body", "fingerprint", "made_at"]
    with store.writing() as connection:
        connection.execute(tables.prediction.insert().from_select(names, of_record))


def mark_all(store: Store) -> None:
    """Give every second record a label, and every one an answer, an issue or a group."""
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
    """Yield, for each listing, the slowest of its first pages, and what the web process holds."""
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
            slowest = turn_pages(port, query)
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
    sys.exit("the web process did not start")


def turn_pages(port: int, query: str) -> float:
    """Read some pages of a listing as a browser does; returns how long the slowest took."""
    target, slowest = f"/records/scale?{query}", 0.0
    for _ in range(PAGES):
        began = time.perf_counter()
        page = read(port, target)
        slowest = max(slowest, time.perf_counter() - began)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if following is None:
            break
        target = unescape(following[1])
    return slowest


def read(port: int, target: str) -> str:
    """Return a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", target, headers={"Accept": "text/html"})
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def held_mebibytes(pid: int) -> float:
    """Return what a process holds, of what it shares its part."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024


def write_sentences(path: Path, count: int) -> None:
    """Write so many different sentences."""
    words = WORDS.split()
    chance = random.Random(1)  # noqa: S311  a sample, not a secret
    with path.open("w", encoding="utf-8") as file:
        file.write("sentence,label\n")
        for number in range(count):
            sentence = " ".join(chance.choices(words, k=chance.randint(3, 12)))
            file.write(f"{sentence} {number},\n")


def run(environment: dict[str, str], room: str, *arguments: str) -> tuple[float, float]:
    """Run one command of ours; returns its seconds, and its peak memory with its children's."""
    started = time.monotonic()
    command = [sys.executable, "-m", room, *arguments]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.monotonic() - started, peak(usage)


def peak(usage: resource.struct_rusage) -> float:
    """Return the largest resident size in MiB, of the process or of any child of its."""
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
