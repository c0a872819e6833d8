"""Commands about records: import, export, forget."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from db.errors import VeilleuseError
from db.files.exporter import export_csv, export_lines
from db.files.importer import ImportResult, import_files
from db.records.dataset import find_dataset
from db.records.record import forget_record

from .base import FILE, dataset_argument, json_option, open_our_store, say
from .console import ProgressBar


@click.command("import")
@dataset_argument
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Import nothing if a row is bad.")
@json_option
def import_(dataset: str, files: tuple[Path, ...], *, strict: bool, as_json_: bool) -> None:
    """Add the rows of FILES (CSV, a JSON array or JSON lines) to DATASET.

    Rows are keyed, so importing them twice changes nothing. A new label replaces the old.
    """
    store = open_our_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    progress = ProgressBar(f"import {dataset}")
    result = import_files(store, found, list(files), strict=strict, progress=progress.advance)
    progress.end()
    for remark in _remarks(result, found.spec.target):
        click.echo(remark, err=True)
    counted = {
        "created": result.added.created,
        "relabelled": result.added.relabelled,
        "unchanged": result.added.unchanged,
        "skipped": result.bad,
    }
    counts = ", ".join(f"{count:,} {what}" for what, count in counted.items())
    more = {"repeated": result.added.repeated, "contradicted": result.added.contradicted}
    say({**counted, **more}, f"{dataset}: {counts}", as_json_=as_json_)


def _remarks(result: ImportResult, target: str) -> Iterator[str]:
    """Yield what a person should know of an import besides its counts."""
    yield from result.faults
    if repeated := result.added.repeated:
        yield (
            f"{repeated:,} rows have the same inputs as another, which makes them one record;"
            f" {result.added.contradicted:,} of them with another {target}: the last one counts"
        )
    if result.bad > len(result.faults):
        yield f"and {result.bad - len(result.faults):,} more bad rows"
    if result.unused:
        yield f"columns not used: {', '.join(sorted(result.unused))}"
    if not result.labelled:
        yield f"no row has a value for {target}, so there is nothing here to train on"


@click.command()
@dataset_argument
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV instead of JSON lines.")
@click.option("--json", "as_json_", is_flag=True, help="Write JSON lines, as without it.")
def export(dataset: str, *, as_csv: bool, as_json_: bool) -> None:
    """Write DATASET's records, enrichments and predictions to standard output."""
    if as_csv and as_json_:
        raise click.UsageError("--csv and --json exclude each other")
    store = open_our_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    (export_csv if as_csv else export_lines)(store, found, sys.stdout)


@click.command()
@dataset_argument
@click.option("--key", help="The record's key, as export prints it.")
@click.option("--sentence", help="The record's text, where its one field is text.")
@json_option
def forget(dataset: str, key: str | None, sentence: str | None, *, as_json_: bool) -> None:
    """Erase one record of DATASET and all that came of it."""
    if (key is None) == (sentence is None):
        raise click.UsageError("say which record: either --key or --sentence")
    store = open_our_store()
    with store.writing() as connection:
        found = find_dataset(connection, dataset)
        if sentence is not None:
            required = found.spec.required
            if len(required) != 1:
                raise VeilleuseError(f"{dataset} has no single text field; give --key")
            wanted = found.spec.key(found.spec.read_inputs({required[0]: sentence}))
        else:
            wanted = _key(key or "")
        forget_record(connection, found.id, wanted)
    say({"forgotten": wanted.hex()}, f"{dataset}: forgot {wanted.hex()}", as_json_=as_json_)


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise VeilleuseError(f"--key {text!r}: is not a key, which has 32 hex digits") from None
