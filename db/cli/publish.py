"""The command that publishes predictions."""

from __future__ import annotations

import dataclasses
import os

import click

from db.errors import ExchangeError
from db.exchange.publication import Destination, PublicationCounts, publish_predictions
from db.exchange.publication_rows import count_rows
from db.records.dataset import find_dataset
from db.spec.dataset_spec import DatasetSpec

from .base import dataset_argument, json_option, open_configured_store, print_result
from .console import counted
from .terminal.progress_bar import ProgressBar


@click.command()
@dataset_argument
@click.option(
    "--to",
    "url",
    metavar="URL",
    help="URL of the database, or the environment variable that has it.",
)
@click.option("--table", help="Table, perhaps with its schema: crm.churn_scores.")
@click.option(
    "--remove-missing",
    is_flag=True,
    help="Delete the rows of the table whose id DATASET does not have.",
)
@json_option
def publish(
    dataset: str, url: str | None, table: str | None, *, remove_missing: bool, as_json_: bool
) -> None:
    """Write DATASET's predictions to a table of a database.

    The table is created if it is not there. Rows that differ are updated, and the command can be
    interrupted and run again. Without --to and --table, the [publish] section of the spec is used.
    """
    if (url is None) != (table is None):
        raise click.UsageError("use --to and --table together")
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
        total = count_rows(connection, found)
    to = _destination(found.spec, url, table, remove_missing=remove_missing)
    progress = ProgressBar(f"publish {dataset}")
    progress.begin("reading the predictions", total)
    counts = publish_predictions(store, found, to, os.environ, progress.advance)
    progress.end()
    line = f"{dataset}: {describe(counts, to.table)}"
    print_result(dataclasses.asdict(counts), line, as_json_=as_json_)


def _destination(
    spec: DatasetSpec, url: str | None, table: str | None, *, remove_missing: bool
) -> Destination:
    if url is not None and table is not None:
        return Destination(url, table, remove_missing)
    if spec.publish is None:
        raise ExchangeError(
            f"{spec.name}: has no section [publish]; name the destination with --to and --table"
        )
    section = spec.publish
    return Destination(section.url, section.table, remove_missing or section.remove_missing)


def describe(counts: PublicationCounts, table: str) -> str:
    """Return what became of the rows, in one line."""
    rows = counts.inserted + counts.updated + counts.unchanged
    shown = dataclasses.asdict(counts)
    if not counts.deleted:
        del shown["deleted"]
    parts = ", ".join(f"{number:,} {outcome}" for outcome, number in shown.items())
    return f"{counted(rows, 'row')} in {table}: {parts}"
