"""The command that predicts the rows of a file."""

from __future__ import annotations

import dataclasses
import signal
import sys
from functools import partial
from pathlib import Path

import click

from db.errors import VeilleuseError
from db.files.prediction.predict_file import (
    FilePrediction,
    Listener,
    OutputFormat,
    PredictionResult,
)
from db.files.prediction.teacher_wait import Backlog, wait_for_teacher
from db.records.dataset import Dataset, find_dataset
from db.records.predictor import open_predictor
from db.settings import load_settings
from db.store.store import Store, open_store

from .base import FILE, dataset_argument, json_option
from .console import as_json, counted
from .terminal.progress_bar import ProgressBar


@click.command()
@dataset_argument
@click.argument("file", type=FILE)
@click.option("--out", type=FILE, help="Write to this file when all is done, not to the terminal.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Format of the output; by default that of the name of --out, or of FILE; of Excel, CSV.",
)
@click.option("--wait", is_flag=True, help="Let the teacher answer every row first.")
@click.option("--remember", is_flag=True, help="Let unseen inputs become records.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Processes that predict; by default one per core."
)
@json_option
def predict(  # noqa: PLR0913  one for each option
    dataset: str,
    file: Path,
    *,
    out: Path | None,
    output_format: OutputFormat | None,
    wait: bool,
    remember: bool,
    jobs: int | None,
    as_json_: bool,
) -> None:
    """Write the rows of FILE with DATASET's predictions in further columns.

    All rows stay in their order with all their own cells. A row that cannot be predicted has the
    reason in the column error.
    """
    # Otherwise SIGPIPE ends this process without a message when a reader closes the output, or when
    # one of the processes that predict dies.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    settings = load_settings()
    store = open_store(settings)
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    is_final = _check_memory(store, found, is_needed=wait or remember)
    prediction = FilePrediction(
        store,
        settings,
        found,
        file,
        output_format,
        remembers=remember and not wait,
        jobs=jobs,
    )
    recorded = 0
    if wait and not is_final:
        bar = ProgressBar(f"remember {file.name}")
        bar.begin("reading the rows")
        recorded = dataclasses.replace(prediction, listener=_listener(bar)).remember().recorded
        bar.end()
        _wait(store, found)
    bar = ProgressBar(f"predict {file.name}", is_hidden=out is None and sys.stdout.isatty())
    bar.begin("reading the rows")
    result = dataclasses.replace(prediction, listener=_listener(bar)).write(out)
    bar.end()
    result.recorded += recorded
    _report(found.name, result, is_on_stderr=out is None, as_json_=as_json_)


def _check_memory(store: Store, dataset: Dataset, *, is_needed: bool) -> bool:
    """Return whether no worker has anything to add; raise VeilleuseError if none may be asked."""
    with store.reading() as connection:
        is_final = open_predictor(connection, dataset).is_final
    if is_needed and is_final:
        click.echo(
            f"{dataset.name}: the model's answers are final, so no input is recorded", err=True
        )
    elif is_needed and not dataset.spec.remember:
        raise VeilleuseError(
            f"{dataset.name}: its spec says remember = false, so inputs do not become records;"
            " leave out --wait and --remember"
        )
    return is_final


def _listener(bar: ProgressBar) -> Listener:
    return Listener(partial(click.echo, err=True), bar.expect, bar.advance)


def _wait(store: Store, dataset: Dataset) -> None:
    bar = ProgressBar(f"wait for the teacher of {dataset.name}")
    bar.begin("counting the records")
    done = most = 0

    def show(backlog: Backlog) -> None:
        nonlocal done, most
        most = max(most, backlog.waiting)
        bar.expect(most)
        bar.advance(most - backlog.waiting - done, backlog.report)
        done = most - backlog.waiting

    wait_for_teacher(store, dataset.name, partial(click.echo, err=True), show)
    bar.end()


def _report(dataset: str, result: PredictionResult, *, is_on_stderr: bool, as_json_: bool) -> None:
    """Print the first faults, and how many rows there were; the output may be on stdout."""
    for fault in result.faults:
        click.echo(fault, err=True)
    if result.bad > len(result.faults):
        click.echo(
            f"and {counted(result.bad - len(result.faults), 'more row')} with an error", err=True
        )
    counts = {
        "rows": result.rows,
        "predicted": result.rows - result.bad,
        "errors": result.bad,
        "recorded": result.recorded,
    }
    line = f"{dataset}: {counted(result.rows, 'row')}: {counts['predicted']:,} predicted"
    line += f", {result.bad:,} with an error"
    if result.recorded:
        line += f"; {counted(result.recorded, 'unseen input')} recorded"
    click.echo(as_json(counts) if as_json_ else line, err=is_on_stderr)
