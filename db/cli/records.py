"""Commands for records: import, export, forget."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from db.errors import VeilleuseError
from db.files.exporter import export_csv, export_lines
from db.files.importer import ImportResult, import_files
from db.records.dataset import find_dataset
from db.records.record import forget_record
from db.spec.dataset_spec import DatasetSpec

from .base import FILE, dataset_argument, json_option, open_configured_store, print_result
from .console import ProgressBar, counted


@click.command("import")
@dataset_argument
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Import nothing if any row is bad.")
@click.option(
    "--add", is_flag=True, help="Add the rows beside those that are there, once per file."
)
@json_option
def import_(
    dataset: str, files: tuple[Path, ...], *, strict: bool, add: bool, as_json_: bool
) -> None:
    """Import the rows of FILES (CSV, a JSON array or JSON lines) into DATASET.

    Importing a file again changes nothing, and a corrected file corrects. If the dataset has an id
    column, a row replaces the row with the same id. Otherwise the rows of FILES replace all rows
    with the same inputs, unless --add says that they are further rows, such as another month's.
    """
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    progress = ProgressBar(f"import {dataset}")
    result = import_files(
        store, found, list(files), strict=strict, add=add, progress=progress.advance
    )
    progress.end()
    for warning in _warnings(result, found.spec):
        click.echo(warning, err=True)
    counts = {**dataclasses.asdict(result.counts), "skipped": result.bad}
    print_result(counts, f"{dataset}: {_describe(result)}", as_json_=as_json_)


def _describe(result: ImportResult) -> str:
    """Return what became of the rows, in one line."""
    if result.added_before is not None:
        day = datetime.fromtimestamp(result.added_before, UTC).date()
        return (
            f"this file was imported before, on {day}, so nothing was added; rows that were deleted"
            " since then stay deleted"
        )
    counts = dataclasses.asdict(result.counts)
    records = counts.pop("records")
    shown = {
        name: count
        for name, count in {**counts, "skipped": result.bad}.items()
        if count or name in {"added", "corrected", "unchanged", "skipped"}
    }
    parts = ", ".join(f"{count:,} {outcome}" for outcome, count in shown.items())
    total = counted(result.rows + result.bad, "row")
    return f"{total}: {parts}; {counted(records, 'new record')}"


def _warnings(result: ImportResult, spec: DatasetSpec) -> Iterator[str]:
    """Yield a line for each thing that a user should know about an import besides its counts."""
    yield from result.notes
    yield from result.faults
    if result.bad > len(result.faults):
        yield f"and {counted(result.bad - len(result.faults), 'more bad row')}"
    if repeated := result.counts.repeated:
        rows = counted(repeated, "row")
        yield f"{rows} with the {spec.id} of an earlier row; the last one counts"
    if result.unused:
        yield f"unused columns: {', '.join(sorted(result.unused))}"
    if not result.labelled and result.added_before is None:
        yield f"no row has a value for {spec.target}, so these rows cannot be used for training"


@click.command()
@dataset_argument
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV instead of JSON lines.")
@click.option("--json", "as_json_", is_flag=True, help="Write JSON lines; this is the default.")
def export(dataset: str, *, as_csv: bool, as_json_: bool) -> None:
    """Write DATASET's records, enrichments and predictions to standard output."""
    if as_csv and as_json_:
        raise click.UsageError("--csv and --json cannot be used together")
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    (export_csv if as_csv else export_lines)(store, found, sys.stdout)


@click.command()
@dataset_argument
@click.option("--key", help="Key of the record, as export prints it.")
@click.option("--sentence", help="Text of the record, if the dataset has a single text field.")
@json_option
def forget(dataset: str, key: str | None, sentence: str | None, *, as_json_: bool) -> None:
    """Delete one record of DATASET and everything computed from it."""
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
