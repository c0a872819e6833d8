"""The command status: shows the backlog, the workers and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

import click

from db.cli.console import Interrupted, as_json
from db.cli.terminal.colour import Colour, paint
from db.cli.terminal.duration import format_duration
from db.cli.terminal.table import Column, format_table
from db.queue.workers.worker_row import WorkerRow
from db.store.store import Store
from enrich.worker_status import worker_status

from .base import json_option, open_worker_store

LIVE_SECONDS = 2.0
_ENRICHERS = (
    Column("dataset"),
    Column("enricher"),
    Column("progress"),
    Column("up to date", is_number=True),
    Column("of records", is_number=True),
)


@click.command()
@click.option("--live", is_flag=True, help="Stay and update every two seconds.")
@json_option
def status(*, live: bool, as_json_: bool) -> None:
    """Show the progress of enrichment, each worker, and why a worker is waiting."""
    store, _ = open_worker_store()
    if live:
        _show_live(store)
        return
    report = worker_status(store)
    if as_json_:
        click.echo(as_json(report))
        return
    for line in format_status(report):
        click.echo(line)


def _show_live(store: Store) -> None:
    """Update the status in place on a terminal, print it as blocks elsewhere, until Ctrl-C."""
    from rich.console import Console  # noqa: PLC0415  only this needs it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    def view() -> Text:
        return Text.from_ansi("\n".join(format_status(worker_status(store))))

    try:
        while not sys.stdout.isatty():
            click.echo(view().plain + "\n")
            time.sleep(LIVE_SECONDS)
        with Live(view(), console=Console(file=sys.stdout), auto_refresh=False) as screen:
            while True:
                time.sleep(LIVE_SECONDS)
                screen.update(view(), refresh=True)
    except Interrupted:
        # Ctrl-C is the normal way to leave.
        return


def format_status(report: dict[str, Any], stream: IO[str] | None = None) -> Iterator[str]:
    """Yield the status as lines of text for a stream, by default standard output."""
    stream = stream or sys.stdout
    yield from _enricher_table(report["datasets"], stream)
    for dataset in report["datasets"]:
        yield f"{dataset['name']}: model {dataset['model'] or 'none yet'}"
        for name, calls in dataset["calls"].items():
            used = _format_tokens(calls, dataset["tokens"].get(name))
            yield f"  {name:<16} {calls:,} calls{used} in this budget period"
        if dataset["quarantined"]:
            count = dataset["quarantined"]
            yield f"  {count:,} records are quarantined; see: python -m enrich quarantine list"
    yield from (paint(line, "red", stream) for line in _fault_lines(report))
    yield _time_left(report)
    if report["paused_at"] is not None:
        yield paint("workers are paused; to resume: python -m enrich resume", "yellow", stream)
    for worker in report["workers"]:
        first, *others = _worker_lines(worker, report["now"])
        yield paint(first, _worker_colour(worker, report["now"]), stream)
        yield from others
    if not any(worker.lives(report["now"]) for worker in report["workers"]):
        yield "no worker runs; start one: python -m enrich run"


def _enricher_table(datasets: Sequence[dict[str, Any]], stream: IO[str]) -> list[str]:
    """Return a table of what is up to date by dataset and enricher; nothing if there is nothing."""
    rows = [
        (one["name"], name, _share_bar(fresh, one["records"]), f"{fresh:,}", f"{one['records']:,}")
        for one in datasets
        for name, fresh in one["enriched"].items()
    ]
    return [*format_table(_ENRICHERS, rows, stream), ""] if rows else []


def _share_bar(part: int, whole: int) -> str:
    share = part / whole if whole else 1.0
    return f"{'█' * int(20 * share):·<20}"


def _worker_colour(worker: WorkerRow, now: float) -> Colour:
    if not worker.lives(now):
        return "red"
    return "green" if worker.state == "open" else "yellow"


def _fault_lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield the failed runs, and the faults that are not such a run."""
    for failure in report["failures"]:
        ago = format_duration(max(report["now"] - failure["ended_at"], 0.0))
        reason = f": {failure['reason']}" if failure["reason"] else ""
        yield f"{failure['command']} {failure['dataset']} failed {ago} ago{reason}"
    failed = {(one["dataset"], one["command"]) for one in report["failures"]}
    for fault in report["faults"]:
        if (fault["dataset"], fault["subject"]) not in failed:
            yield _fault_line(fault, report["now"])


def _fault_line(fault: dict[str, Any], now: float) -> str:
    """Return what is stopped, why, since when, and when it is tried again if that is known."""
    line = f"{fault['dataset']}: {fault['subject']} is stopped: {fault['reason']}"
    if not fault["since"]:
        return line
    since = format_duration(max(now - fault["since"], 0.0))
    return (
        f"{line} (for {since}, {fault['tries']:,} tries,"
        f" again in {format_duration(fault['seconds_left'])})"
    )


def _format_tokens(calls: int, tokens: dict[str, float | None] | None) -> str:
    """Return what a language model's calls have used; "" for another service."""
    if tokens is None:
        return ""
    if calls and not tokens["prompt"] and not tokens["answer"]:
        return " (the service reports no tokens)"
    used = f", {tokens['prompt']:,} prompt tokens, {tokens['answer']:,} answer tokens"
    return used if tokens["cost"] is None else f"{used}, cost {tokens['cost']:,.4f}"


def _time_left(report: dict[str, Any]) -> str:
    stale = sum(dataset["stale"] for dataset in report["datasets"])
    if not stale:
        return "all records are up to date"
    if report["seconds_left"] is None:
        return f"{stale:,} records are stale"
    rate, left = report["records_per_second"], format_duration(report["seconds_left"])
    return f"{stale:,} records are stale: about {left} left at {rate:,.0f} records/s"


def _worker_lines(worker: WorkerRow, now: float) -> Iterator[str]:
    if not worker.lives(now):
        ago = format_duration(abs(now - worker.seen_at))
        yield f"worker {worker.id} on {worker.host}: silent for {ago}; it is taken for dead"
        return
    duration = format_duration(max(now - worker.since, 0.0))
    state = (
        f"gate open for {duration}"
        if worker.state == "open"
        else f"waiting for {duration} (gate {worker.state})"
    )
    reason = f": {worker.reason}" if worker.reason else ""
    yield f"worker {worker.id} on {worker.host}: {state}{reason}"
    rate, share = worker.rate, worker.open_share
    done = f"{worker.records:,} records done, {rate:,.0f}/s while working"
    yield f"  {done}, gate open {share:.0%} of the time"
    if worker.error:
        ago = format_duration(max(now - (worker.error_at or now), 0.0))
        yield f"  last error {ago} ago: {worker.error}"
