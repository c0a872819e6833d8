"""The command that says how far enrichment has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from db.cli.console import Interrupted, as_json
from db.queue.worker import WorkerRow
from db.store.engine import Store
from enrich.status import worker_status

from .base import json_option, open_worker_store

LIVE_SECONDS = 2.0


@click.command()
@click.option("--live", is_flag=True, help="Stay, and show it anew every two seconds.")
@json_option
def status(*, live: bool, as_json_: bool) -> None:
    """Say how far enrichment has come, what each worker does, and why it does not work."""
    store, _ = open_worker_store()
    if live:
        _show(store)
        return
    seen = worker_status(store)
    if as_json_:
        click.echo(as_json(seen))
        return
    for line in in_words(seen):
        click.echo(line)


def _show(store: Store) -> None:
    """Show it in place on a terminal until Ctrl-C, and as blocks of lines elsewhere."""
    from rich.console import Console  # noqa: PLC0415  only this needs it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    def view() -> Text:
        return Text("\n".join(in_words(worker_status(store))))

    try:
        while not sys.stdout.isatty():
            click.echo(view().plain + "\n")
            time.sleep(LIVE_SECONDS)
        with Live(view(), console=Console(file=sys.stdout), auto_refresh=False) as screen:
            while True:
                time.sleep(LIVE_SECONDS)
                screen.update(view(), refresh=True)
    except Interrupted:
        # Ctrl-C is how one leaves.
        return


def in_words(seen: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a status."""
    for found in seen["datasets"]:
        yield f"{found['name']}: model {found['model'] or 'none yet'}"
        for name, fresh in found["enriched"].items():
            share = fresh / found["records"] if found["records"] else 1.0
            done = "█" * int(20 * share)
            yield f"  {name:<16} {done:·<20} {fresh:>10,} of {found['records']:,} fresh"
        for name, calls in found["calls"].items():
            yield f"  {name:<16} {calls:,} calls in this period"
        if found["quarantined"]:
            yield f"  {found['quarantined']:,} records are quarantined: enrich quarantine list"
    yield _time_left(seen)
    if seen["paused_at"] is not None:
        yield "workers are paused; go on with: python -m enrich resume"
    for worker in seen["workers"]:
        yield from _of_worker(worker, seen["now"])
    if not seen["workers"]:
        yield "no worker runs; start one: python -m enrich run"


def _time_left(seen: dict[str, Any]) -> str:
    stale = sum(found["stale"] for found in seen["datasets"])
    if not stale:
        return "all records are up to date"
    if seen["seconds_left"] is None:
        return f"{stale:,} records are stale"
    rate, left = seen["records_per_second"], in_time(seen["seconds_left"])
    return f"{stale:,} records are stale: about {left} at {rate:,.0f} records/s"


def _of_worker(worker: WorkerRow, now: float) -> Iterator[str]:
    why = f": {worker.reason}" if worker.reason else ""
    since = in_time(max(now - worker.since, 0.0))
    yield f"worker {worker.id} on {worker.host}: gate {worker.state} for {since}{why}"
    rate, share = worker.rate, worker.open_share
    done = f"{worker.records:,} records, {rate:,.0f}/s at work"
    yield f"  {done}, gate open {share:.0%} of the time"
    if worker.error:
        ago = in_time(max(now - (worker.error_at or now), 0.0))
        yield f"  last error {ago} ago: {worker.error}"


def in_time(seconds: float) -> str:
    """Return a time as people say it."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"
