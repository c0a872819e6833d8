"""The command line of the store: `python -m db`."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from db.admin.doctor import examine
from db.admin.prune import prune_store
from db.admin.read_benchmark import measure_floor
from db.admin.status import store_status
from db.cli.base import FILE, dataset_argument, json_option, open_our_store, say
from db.cli.completion import SCRIPTS, VARIABLE
from db.cli.console import Progress, as_json, run_command
from db.cli.dataset import drop, infer, load
from db.files.exporter import export_csv, export_lines
from db.files.importer import Intake, import_files
from db.records.dataset import find_dataset
from db.records.record import forget_record
from db.store.engine import check_reachable, connect_store, where

from .errors import VeilleuseError
from .migrations import upgrade as upgrade_store
from .settings import load_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look after the store: tables, datasets, records.

    Settings come from the environment, such as DATABASE_URL; README.md lists them.
    """


@cli.command()
@json_option
def upgrade(*, as_json_: bool) -> None:
    """Create the store's tables, or bring them up to date.

    As often as you like; deploys run it each time.
    """
    store = connect_store(load_settings())
    check_reachable(store)
    version = upgrade_store(store)
    say({"version": version}, f"{where(store)}: tables are at {version}", as_json_=as_json_)


for command in (load, infer, drop):
    cli.add_command(command)


@cli.command("import")
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
    progress = Progress(f"import {dataset}")
    intake = import_files(store, found, list(files), strict=strict, progress=progress.advance)
    progress.end()
    for remark in _remarks(intake, found.spec.target):
        click.echo(remark, err=True)
    result = {
        "created": intake.added.created,
        "relabelled": intake.added.relabelled,
        "unchanged": intake.added.unchanged,
        "skipped": intake.bad,
    }
    counts = ", ".join(f"{count:,} {what}" for what, count in result.items())
    more = {"repeated": intake.added.repeated, "contradicted": intake.added.contradicted}
    say({**result, **more}, f"{dataset}: {counts}", as_json_=as_json_)


def _remarks(intake: Intake, target: str) -> Iterator[str]:
    """Yield what a person should know of an import besides its counts."""
    yield from intake.faults
    if repeated := intake.added.repeated:
        yield (
            f"{repeated:,} rows have the same inputs as another, which makes them one record;"
            f" {intake.added.contradicted:,} of them with another {target}: the last one counts"
        )
    if intake.bad > len(intake.faults):
        yield f"and {intake.bad - len(intake.faults):,} more bad rows"
    if intake.unused:
        yield f"columns not used: {', '.join(sorted(intake.unused))}"
    if not intake.labelled:
        yield f"no row has a value for {target}, so there is nothing here to train on"


@cli.command()
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


@cli.command()
@json_option
def status(*, as_json_: bool) -> None:
    """Say what is in the store."""
    found = store_status(open_our_store())
    if as_json_:
        click.echo(as_json(found))
        return
    click.echo(f"store: {found['bytes'] / 2**20:,.1f} MiB, generation {found['generation']}")
    for dataset in found["datasets"]:
        click.echo(
            f"{dataset['name']}: {dataset['records']:,} records, {dataset['labelled']:,} labelled,"
            f" {dataset['asked']:,} asked for; model {dataset['model'] or 'none yet'};"
            f" {dataset['chunks']} chunks, {dataset['quarantined']} quarantined"
        )
        for name, count in dataset["enriched"].items():
            click.echo(f"  {name}: {count:,} of {dataset['records']:,} fresh")
    if not found["datasets"]:
        click.echo("no datasets; load one: python -m db load FILE")


@cli.command()
@click.option("--strict", is_flag=True, help="A warning fails as well.")
@json_option
def doctor(*, strict: bool, as_json_: bool) -> None:
    """Say what is wrong with this set-up, and how to mend it; exit code 1 where something is."""
    settings = load_settings()
    found = list(examine(settings, connect_store(settings)))
    if as_json_:
        click.echo(as_json([dataclasses.asdict(one) for one in found]))
    else:
        for one in found:
            click.echo(f"{one.word:<8} {one.about}: {one.says}")
            if one.mend and one.word != "good":
                click.echo(f"{'':<9}{one.mend}")
    bad = {"fault", "warning"} if strict else {"fault"}
    if any(one.word in bad for one in found):
        raise SystemExit(1)


@cli.command()
@json_option
def prune(*, as_json_: bool) -> None:
    """Drop what is out of date: old requests, values of enrichers that are gone, old runs."""
    dropped = prune_store(open_our_store())
    counts = ", ".join(f"{count:,} {what}" for what, count in dropped.items())
    say(dropped, f"dropped {counts}", as_json_=as_json_)


@cli.command()
@dataset_argument
@click.option(
    "--seconds",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.1, 600),
    help="For how long to read.",
)
@json_option
def bench(dataset: str, seconds: float, *, as_json_: bool) -> None:
    """Measure how many of DATASET's predictions one connection finds in a second."""
    found = measure_floor(open_our_store(), dataset, seconds)
    say(
        {**dataclasses.asdict(found), "rate": found.rate},
        f"{dataset}: {found.rate:,.0f} predictions read a second, one after the other: half within"
        f" {found.p50_microseconds:.1f} µs, 99 of 100 within {found.p99_microseconds:.1f} µs",
        as_json_=as_json_,
    )


@cli.command()
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


@cli.command()
@click.argument("shell", type=click.Choice(sorted(SCRIPTS)))
def completion(shell: str) -> None:
    """Print what SHELL needs to complete these commands: eval "$(python -m db completion bash)"."""
    click.echo(SCRIPTS[shell], nl=False)


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise VeilleuseError(f"--key {text!r}: is not a key, which has 32 hex digits") from None


if __name__ == "__main__":
    # As other filters do: whoever reads an export may stop reading it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(run_command(lambda: cli(prog_name="python -m db", complete_var=VARIABLE)))
