"""Commands about datasets: load, infer, drop."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from db.errors import VeilleuseError
from db.files.infer import InferredDataset, describe_inference, infer_dataset
from db.records.dataset import find_dataset, register_dataset
from db.records.delete_dataset import drop_dataset
from db.settings import load_settings
from db.spec.toml_file import read_spec
from db.store.engine import connect_store, sqlite_file

from .base import FILE, dataset_argument, json_option, open_our_store, say


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@json_option
def load(files: tuple[Path, ...], *, as_json_: bool) -> None:
    """Register the datasets of FILES, or update their specs.

    Changes that would give records which are there other keys are refused.
    """
    specs = [read_spec(path) for path in files]
    store = open_our_store()
    for spec in specs:
        with store.writing() as connection:
            done = register_dataset(connection, spec)
        say({"dataset": spec.name, "done": done}, f"{spec.name}: {done}", as_json_=as_json_)


@click.command()
@click.argument("file", type=FILE)
@click.option("--target", required=True, help="The column to predict.")
@click.option("--name", default="", help="The dataset's name; the file's unless given.")
@click.option("--out", type=FILE, help="Where to write it; NAME.toml unless given.")
@click.option("--missing", multiple=True, help="A word that says nothing; may be repeated.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def infer(  # noqa: PLR0913  a command takes what its options are
    file: Path,
    target: str,
    name: str,
    out: Path | None,
    *,
    missing: tuple[str, ...],
    force: bool,
    as_json_: bool,
) -> None:
    """Draft a dataset's TOML from the columns of FILE, for you to look over.

    Says what comes next.
    """
    inferred = infer_dataset(file, target, name, missing)
    written = out or Path(f"{inferred.spec.name}.toml")
    if written.exists() and not force:
        raise VeilleuseError(
            f"{written}: is there already; --force writes over it, --out elsewhere"
        )
    written.write_text(inferred.text, "utf-8")
    told = {
        "file": str(written),
        "spec": msgspec.to_builtins(inferred.spec),
        "unused": inferred.unused,
        "warnings": inferred.warnings,
    }
    lines = [f"{written}: {inferred.spec.kind} of {target}", *describe_inference(inferred)]
    lines += ["Look it over, then:", *_next_steps(inferred, written, file)]
    say(told, "\n".join(lines), as_json_=as_json_)


def _next_steps(inferred: InferredDataset, written: Path, file: Path) -> Iterator[str]:
    """Yield the commands that lead from a draft to its predictions."""
    name, quoted = inferred.spec.name, shlex.quote(str(file))
    store = sqlite_file(connect_store(load_settings()))
    if store is not None and not store.exists():
        yield "  python -m db upgrade"
    yield f"  python -m db load {shlex.quote(str(written))}"
    yield f"  python -m db import {name} {quoted}"
    if inferred.spec.enrichers:
        yield f"  python -m enrich once {name}"
    yield f"  python -m enrich train {name}"
    yield "  python -m serve"


@click.command()
@dataset_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def drop(dataset: str, *, yes: bool, as_json_: bool) -> None:
    """Erase DATASET with its records, models and figures."""
    store = open_our_store()
    with store.reading() as connection:
        found = find_dataset(connection, dataset)
    if not yes:
        click.confirm(f"Erase {dataset}, its records and its models for good?", abort=True)
    erased = drop_dataset(store, found)
    say({"erased": erased}, f"{dataset}: erased, with {erased:,} records", as_json_=as_json_)
