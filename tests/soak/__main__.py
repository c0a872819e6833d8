"""Run the soak test: python -m tests.soak --minutes 30 --seed 7."""

from __future__ import annotations

import argparse
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.store.store import Store, connect_store
from tests.conftest import run_command, settings_for

from .events import Site
from .load import ROWS, Ledger, LoadClient, label_of, sentence
from .processes import wait_until_web_is_ready, web_process, worker
from .replicas import Replicas, running_replicas
from .verdict import faults_of, memory_growth

WEBS, WORKERS, CLIENTS = 2, 4, 6
DATASET = "moods"
_SPEC = """
name = "moods"
kind = "classification"
target = "mood"
# So that the teacher's answers, not the student's, are what inputs wait for.
teacher = "tests.store.sample_teachers.words"
[fields.sentence]
type = "text"
[enrichers.text_profile]
reads = ["sentence"]
"""
# The end may be as far away as workers with a backlog, on a busy machine.
SETTLE_SECONDS = 600.0
WRITE_SECONDS = 60.0


def main() -> int:
    """Run the test; return 1 if something was lost."""
    options = _parser().parse_args()
    # What it has started must not outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, running_replicas() as replicas:
        Path(folder).chmod(0o755)
        imported = _prepare(Path(folder), replicas)
        with _running_site(Path(folder), replicas, options.seed) as site:
            ledger = _soak(site, options.minutes)
            store = connect_store(settings_for(replicas.url))
            faults = [*site.faults, *_settle(site, store, ledger, imported)]
        return _report(site, ledger, faults, options)


def _prepare(folder: Path, replicas: Replicas) -> set[str]:
    """Make the store with a trained dataset; return its sentences."""
    rows = [(sentence(number), label_of(number)) for number in range(1, ROWS + 1)]
    (folder / "moods.toml").write_text(_SPEC)
    table = "sentence,mood\n" + "".join(f"{text},{label}\n" for text, label in rows)
    (folder / "moods.csv").write_text(table)
    for package, *arguments in (
        ("db", "upgrade"),
        ("db", "load", str(folder / "moods.toml")),
        ("db", "import", DATASET, str(folder / "moods.csv")),
        ("enrich", "train", DATASET),
    ):
        done = run_command(replicas.url, package, *arguments)
        assert done.code == 0, done.err
    return {text for text, _ in rows}


@contextmanager
def _running_site(folder: Path, replicas: Replicas, seed: int) -> Iterator[Site]:
    """Run all processes until the block's end; SIGTERM must then end each with exit code 0."""
    webs = {}
    for number in range(WEBS):
        web, port = web_process(replicas.url, folder, number)
        webs[port] = web
    workers = [worker(replicas.url, folder, number) for number in range(WORKERS)]
    site = Site(replicas, webs, workers, folder, random.Random(seed))
    try:
        for one in site.everything():
            one.start()
        for port, web in webs.items():
            wait_until_web_is_ready(web, port)
        yield site
    finally:
        for one in site.everything():
            if one.process and one.process.poll() is None:
                one.end(signal.SIGTERM)


def _soak(site: Site, minutes: float) -> Ledger:
    """Send requests while events happen; return what the server promised."""
    ledger = Ledger()
    clients = [LoadClient([*site.webs], ledger, number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    began, ending = time.monotonic(), threading.Event()
    measuring = threading.Thread(target=_measure, args=(site, began, ending), daemon=True)
    measuring.start()
    while (passed := (time.monotonic() - began) / 60) < minutes:
        print(f"{passed:5.1f} min: {site.happen()}", flush=True)
        time.sleep(site.random.uniform(2, 12))
    ending.set()
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join()
    return ledger


def _measure(site: Site, began: float, ending: threading.Event) -> None:
    while not ending.wait(5):
        for one in site.everything():
            one.measure((time.monotonic() - began) / 60)


def _settle(site: Site, store: Store, ledger: Ledger, imported: set[str]) -> list[str]:
    """Set all clocks right, wait until the workers have done everything, and return the faults."""
    for number in range(len(site.workers)):
        (site.folder / f"clock-{number}").write_text("0")
    began = time.monotonic()
    while True:
        faults = [*faults_of(store, ledger, imported, DATASET)]
        waited = time.monotonic() - began
        # What the web processes hold is written soon; workers may need far longer.
        waits = any("inputs are lost" in fault for fault in faults) and waited < WRITE_SECONDS
        waits |= any("no prediction" in fault for fault in faults) and waited < SETTLE_SECONDS
        if not waits:
            return faults
        time.sleep(3)


def _report(site: Site, ledger: Ledger, faults: list[str], options: argparse.Namespace) -> int:
    """Print what happened; return 1 if there were faults."""
    print("events:", ", ".join(f"{name} {count}" for name, count in sorted(site.done.items())))
    print("answers:", ", ".join(f"{name}: {n:,}" for name, n in sorted(ledger.statuses.items())))
    print(f"promised: {len(ledger.queued):,} inputs queued, {len(ledger.added):,} rows added")
    for line, fault in memory_growth(site.everything(), options.minutes):
        print(line)
        faults += [fault] if fault else []
    for fault in faults:
        print("FAULT:", fault)
    print("failed" if faults else "passed: 0 lost, 0 doubled", f"(seed {options.seed})")
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    return parser


if __name__ == "__main__":
    sys.exit(main())
