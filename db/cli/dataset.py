"""Commands for datasets: load, infer, drop."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import msgspec

from db.errors import VeilleuseError
from db.exchange.query_source import query_source
from db.exchange.user_database import database_url, open_database, shown_url
from db.files.infer import InferredDataset, describe_inference, infer_dataset, infer_from
from db.records.dataset import find_dataset, register_dataset
from db.records.delete_dataset import drop_dataset
from db.settings import load_settings
from db.spec.named_variables import check_variables
from db.spec.toml_file import read_spec
from db.store.store import connect_store, open_store, sqlite_file

from .base import FILE, dataset_argument, json_option, open_configured_store, print_result
from .source_options import check_query_options, from_option, query_option
from .terminal.progress_bar import ProgressBar


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@json_option
def load(files: tuple[Path, ...], *, as_json_: bool) -> None:
    """Register the datasets of the TOML files FILES, or update their specs.

    A change that would alter the keys of existing records is refused.
    """
    specs = [read_spec(path) for path in files]
    settings = load_settings()
    for spec in specs:
        check_variables(spec, settings.spec_variables)
    store = open_store(settings)
    for spec in specs:
        with store.writing() as connection:
            done = register_dataset(connection, spec)
        print_result(
            {"dataset": spec.name, "done": done}, f"{spec.name}: {done}", as_json_=as_json_
        )


@click.command()
@click.argument("file", type=FILE, required=False)
@from_option
@query_option
@click.option("--target", required=True, help="Column to predict.")
@click.option("--name", default="", help="Name of the dataset; by default the name of FILE.")
@click.option("--out", type=FILE, help="TOML file to write; by default NAME.toml.")
@click.option(
    "--missing", multiple=True, help='A value that means "missing", such as NA; repeatable.'
)
@click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    help="Decimal mark of numbers that can be read in two ways, such as 1.234.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing TOML file.")
@json_option
def infer(  # noqa: PLR0913  one parameter per option
    file: Path | None,
    from_: str | None,
    query: str | None,
    target: str,
    name: str,
    out: Path | None,
    *,
    missing: tuple[str, ...],
    decimal: Literal[".", ","] | None,
    force: bool,
    as_json_: bool,
) -> None:
    """Write a dataset's TOML file, inferred from the columns of FILE, for you to review.

    With --from and --query, they are the columns of the query. Prints the commands to run next.
    """
    check_query_options(from_, query, has_files=file is not None)
    progress = ProgressBar(f"infer {file.name if file else name}")
    progress.begin("reading the rows")
    if file is not None:
        inferred = infer_dataset(file, target, name, missing, decimal, progress.advance)
        rows = shlex.quote(str(file))
    elif from_ is not None and query is not None:
        if not name:
            raise click.UsageError("--name is needed with --from: a query has no name")
        with open_database(database_url(from_), read_only=True) as database:
            reading = query_source(database, query)
            with reading as source:
                inferred = infer_from(source, target, name, missing, decimal, progress.advance)
        rows = f"--from {shlex.quote(shown_url(from_))} --query {shlex.quote(query)}"
    else:
        raise click.UsageError("name FILE, or --from and --query")
    progress.end()
    written = out or Path(f"{inferred.spec.name}.toml")
    if written.exists() and not force:
        raise VeilleuseError(
            f"{written}: already exists; overwrite it with --force, or choose another with --out"
        )
    written.write_text(inferred.text, "utf-8")
    result = {
        "file": str(written),
        "spec": msgspec.to_builtins(inferred.spec),
        "columns": msgspec.to_builtins(inferred.columns),
        "unused": inferred.unused,
        "notes": inferred.notes,
        "warnings": inferred.warnings,
    }
    lines = [f"{written}: {inferred.spec.kind} of {target}", *describe_inference(inferred)]
    lines += ["Review the file, then run:", *_next_steps(inferred, written, rows)]
    print_result(result, "\n".join(lines), as_json_=as_json_)


def _next_steps(inferred: InferredDataset, written: Path, rows: str) -> Iterator[str]:
    """Yield the commands that lead from the inferred file to its predictions."""
    name = inferred.spec.name
    store = sqlite_file(connect_store(load_settings()))
    if store is not None and not store.exists():
        yield "  python -m db upgrade"
    yield f"  python -m db load {shlex.quote(str(written))}"
    yield f"  python -m db import {name} {rows}"
    if inferred.spec.enrichers:
        yield f"  python -m enrich once {name}"
    yield f"  python -m enrich train {name}"
    yield "  python -m serve"


@click.command()
@dataset_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def drop(dataset: str, *, yes: bool, as_json_: bool) -> None:
    """Delete DATASET with its records, models and statistics."""
    store = open_configured_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    if not yes:
        click.confirm(f"Delete {dataset}, its records and its models permanently?", abort=True)
    erased = drop_dataset(store, found)
    print_result(
        {"erased": erased}, f"{dataset}: deleted, with {erased:,} records", as_json_=as_json_
    )
