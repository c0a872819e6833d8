"""Commands for records: import, export, forget."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from db.errors import VeilleuseError
from db.exchange.incremental_import import import_from_source
from db.files.exporter import export_csv, export_lines
from db.files.importer import import_files
from db.files.labels.label_import import import_labels
from db.files.spreadsheet_cell import SpreadsheetCells
from db.records.dataset import find_dataset
from db.records.record import forget_record
from db.spec.exchange_check import MOST_OVERLAP_SECONDS

from .base import FILE, dataset_argument, json_option, open_configured_store, print_result
from .import_report import describe_import, describe_labels_import, import_warnings
from .source_options import (
    SourceOptions,
    check_source_options,
    chosen_source,
    from_option,
    query_option,
)
from .terminal.progress_bar import ProgressBar


@click.command("import")
@dataset_argument
@click.argument("files", type=FILE, nargs=-1)
@from_option
@query_option
@click.option("--since-column", help="Read only rows whose COLUMN rose since the last import.")
@click.option(
    "--overlap",
    type=click.IntRange(0, MOST_OVERLAP_SECONDS),
    help="Begin this many seconds before the last import's end; by default 300.",
)
@click.option("--all", "read_all", is_flag=True, help="Read all rows, despite --since-column.")
@click.option(
    "--remove-missing", is_flag=True, help="Remove rows whose id is no longer in the source."
)
@click.option("--strict", is_flag=True, help="Import nothing if any row is bad.")
@click.option(
    "--add", is_flag=True, help="Add the rows beside those that are there, once per file."
)
@click.option(
    "--labels",
    "as_labels",
    is_flag=True,
    help="Take the rows as labels of records: by id, by inputs, or by a column request_id.",
)
@json_option
def import_(  # noqa: PLR0913  one parameter per option
    dataset: str,
    files: tuple[Path, ...],
    from_: str | None,
    query: str | None,
    since_column: str | None,
    overlap: int | None,
    *,
    read_all: bool,
    remove_missing: bool,
    strict: bool,
    add: bool,
    as_labels: bool,
    as_json_: bool,
) -> None:
    """Import the rows of FILES (CSV, JSON, Parquet, Excel) or of a database into DATASET.

    Importing a file again changes nothing, and a corrected file corrects. If the dataset has an id
    column, a row replaces the row with the same id. Otherwise the rows of FILES replace all rows
    with the same inputs, unless --add says that they are further rows, such as another month's.
    Without FILES and --from, the rows of the query in DATASET's [source] are imported. With
    --labels, the rows of FILES tell what turned out to be true, and are compared with the answers
    that were served.
    """
    given = SourceOptions(from_, query, since_column, overlap, remove_missing=remove_missing)
    check_source_options(given, has_files=bool(files), read_all=read_all)
    if as_labels:
        is_alone = bool(files) and not (strict or add or remove_missing)
        _import_labels(dataset, list(files), is_alone=is_alone, as_json_=as_json_)
        return
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    progress = ProgressBar(f"import {dataset}")
    names = ", ".join(file.name for file in files)
    progress.begin(f"checking {names}" if files else "reading the query")
    options: dict[str, Any] = {"strict": strict, "add": add, "progress": progress.advance}
    options["expect"] = lambda rows: progress.begin("", rows)
    if files:
        result = import_files(store, found, list(files), remove_missing=remove_missing, **options)
    else:
        source = chosen_source(given, found.spec)
        options |= {"read_all": read_all, "needs_overlap": bool(overlap)}
        result = import_from_source(store, found, source, **options)
    progress.end()
    for warning in import_warnings(result, found.spec):
        click.echo(warning, err=True)
    counts = {**dataclasses.asdict(result.counts), "skipped": result.bad}
    print_result(counts, f"{dataset}: {describe_import(result)}", as_json_=as_json_)


def _import_labels(name: str, files: list[Path], *, is_alone: bool, as_json_: bool) -> None:
    if not is_alone:
        raise click.UsageError("--labels goes with FILES, and with no other option but --json")
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, name)
    progress = ProgressBar(f"import labels of {name}")
    progress.begin(f"checking {', '.join(file.name for file in files)}")
    result = import_labels(
        store,
        found,
        files,
        "import",
        expect=lambda rows: progress.begin("", rows),
        progress=progress.advance,
    )
    progress.end()
    for fault in result.faults:
        click.echo(fault, err=True)
    counts = {**dataclasses.asdict(result.counts), "skipped": result.bad}
    print_result(counts, f"{name}: {describe_labels_import(result)}", as_json_=as_json_)


@click.command()
@dataset_argument
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV instead of JSON lines.")
@click.option("--json", "as_json_", is_flag=True, help="Write JSON lines; this is the default.")
@click.option(
    "--spreadsheet",
    is_flag=True,
    help="Write CSV with an apostrophe before each text that a spreadsheet runs as a formula.",
)
def export(dataset: str, *, as_csv: bool, as_json_: bool, spreadsheet: bool) -> None:
    """Write DATASET's records, enrichments and predictions to standard output."""
    if (as_csv or spreadsheet) and as_json_:
        option = "--csv" if as_csv else "--spreadsheet"
        raise click.UsageError(f"{option} and --json cannot be used together")
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    if not (as_csv or spreadsheet):
        export_lines(store, found, sys.stdout)
        return
    cells = SpreadsheetCells(for_spreadsheet=spreadsheet)
    export_csv(store, found, sys.stdout, cells)
    if cells.formulas and not spreadsheet:
        click.echo(
            f"{dataset}: {cells.formulas:,} cells begin as formulas do; for a spreadsheet, write"
            " the file with --spreadsheet",
            err=True,
        )


@click.command()
@dataset_argument
@click.option("--key", help="Key of the record, as export prints it.")
@click.option("--sentence", help="Text of the record, if the dataset has a single text field.")
@json_option
def forget(dataset: str, key: str | None, sentence: str | None, *, as_json_: bool) -> None:
    """Delete one record of DATASET and everything computed from it.

    The next import adds it again, unless its rows are deleted in the file or database too.
    """
    if (key is None) == (sentence is None):
        raise click.UsageError("name the record with either --key or --sentence")
    store = open_configured_store()
    with store.writing() as connection:
        found = find_dataset(connection, dataset)
        if sentence is not None:
            required = found.spec.required
            if len(required) != 1:
                raise VeilleuseError(
                    f"{dataset}: does not have exactly one required field; use --key"
                )
            wanted = found.spec.key(found.spec.read_inputs({required[0]: sentence}))
        else:
            wanted = _key(key or "")
        forget_record(connection, found.id, wanted)
    print_result(
        {"forgotten": wanted.hex()}, f"{dataset}: deleted {wanted.hex()}", as_json_=as_json_
    )


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise VeilleuseError(f"--key {text!r}: is not a key; a key has 32 hex digits") from None
