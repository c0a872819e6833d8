"""Commands that exchange rows with users' databases, as workers run them: import, publish."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from db.cli.console import as_json
from db.cli.import_report import describe_import, import_warnings
from db.cli.publish import describe
from db.errors import ImportRunning, SpecError
from db.exchange.incremental_import import import_from_source
from db.exchange.publication import publish_predictions
from db.files.importer import ImportResult
from db.queue.run_history import RunOutcome, recorded_run
from db.records.dataset import Dataset, find_dataset
from db.settings import Settings
from db.store.store import Store
from enrich.worker.hooks import WorkerHooks
from enrich.worker.subcommand import uninterrupted, yielding
from enrich.worker.worker import working

from .base import dataset_argument, json_option, lock_option, open_worker_store


@click.command("import")
@dataset_argument
@lock_option
@json_option
def import_(dataset: str, *, lock: Path | None, as_json_: bool) -> None:
    """Import the rows of DATASET's [source], as a worker does every so often.

    To import files, or another query, use `python -m db import`.
    """
    store, settings, found = _open(dataset, lock)
    source = found.spec.source
    if source is None:
        raise _no_section(dataset, "source")
    with _run(store, settings, found, "import") as outcome:
        try:
            result = import_from_source(
                store, found, source, os.environ, uninterrupted=partial(uninterrupted, lock)
            )
            line = describe_import(result)
        except ImportRunning:
            result, line = ImportResult(), "another import is running"
        outcome.complete(line, result.rows)
    for warning in import_warnings(result, found.spec):
        click.echo(warning, err=True)
    click.echo(as_json(dataclasses.asdict(result.counts)) if as_json_ else f"{dataset}: {line}")


@click.command()
@dataset_argument
@lock_option
@json_option
def publish(dataset: str, *, lock: Path | None, as_json_: bool) -> None:
    """Publish the predictions of DATASET as its [publish] says, as a worker does every so often.

    To publish to another table, use `python -m db publish`.
    """
    store, settings, found = _open(dataset, lock)
    section = found.spec.publish
    if section is None:
        raise _no_section(dataset, "publish")
    with _run(store, settings, found, "publish") as outcome:
        counts = publish_predictions(
            store, found, section, os.environ, uninterrupted=partial(uninterrupted, lock)
        )
        line = describe(counts, section.table)
        outcome.complete(line, counts.inserted + counts.updated)
    click.echo(as_json(dataclasses.asdict(counts)) if as_json_ else f"{dataset}: {line}")


def _open(name: str, lock: Path | None) -> tuple[Store, Settings, Dataset]:
    store, settings = open_worker_store()
    store = yielding(store, lock)
    with store.reading() as connection:
        return store, settings, find_dataset(connection, name)


def _no_section(dataset: str, section: str) -> SpecError:
    return SpecError(f"{dataset}: its TOML file has no [{section}]; add it and load the file again")


@contextmanager
def _run(store: Store, settings: Settings, dataset: Dataset, command: str) -> Iterator[RunOutcome]:
    """Note the run of a command as that of a worker, which others can see."""
    hooks = WorkerHooks(f"{command}ing {dataset.name}")
    with (
        working(store, settings, threading.Event(), hooks=hooks) as worker,
        recorded_run(store, dataset.id, command, worker.id) as outcome,
    ):
        yield outcome
