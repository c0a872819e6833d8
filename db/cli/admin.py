"""Commands for the store as a whole: upgrade, status, doctor, prune, bench, completion."""

from __future__ import annotations

import dataclasses
import sys

import click

from db.admin.doctor import MOVE_ENCODING, examine
from db.admin.finding import Level
from db.admin.prune import prune_store
from db.admin.read_benchmark import measure_reads
from db.admin.store_status import store_status
from db.migrations import upgrade as upgrade_store
from db.settings import load_settings
from db.store.schema_version import encoding_problem
from db.store.store import check_reachable, connect_store, describe_store
from db.store.tables import SCHEMA

from .base import dataset_argument, json_option, open_configured_store, print_result
from .completion import SCRIPTS
from .console import as_json
from .terminal.colour import Colour, paint
from .terminal.status_table import format_store_status

_LEVEL_COLOURS: dict[Level, Colour] = {"good": "green", "warning": "yellow", "fault": "red"}


@click.command()
@click.option("--move", is_flag=True, help="Move tables of another schema to DATABASE_SCHEMA.")
@click.option("--new", is_flag=True, help="Leave tables of another schema, and create new ones.")
@json_option
def upgrade(*, move: bool, new: bool, as_json_: bool) -> None:
    """Create or migrate the store's tables.

    Safe to repeat: a deployment can run it every time. --move and --new are for PostgreSQL, where
    the tables have a schema of their own.
    """
    store = connect_store(load_settings())
    check_reachable(store)
    version = upgrade_store(store, move=move, new=new)
    with store.reading() as connection:
        if problem := encoding_problem(connection):
            click.echo(f"veilleuse: warning: {problem}; {MOVE_ENCODING}", err=True)
    line = f"tables are at version {version}"
    if version > SCHEMA:
        line += f", newer than this code's {SCHEMA}, which works with them; nothing is to be done"
    print_result({"version": version}, f"{describe_store(store)}: {line}", as_json_=as_json_)


@click.command()
@json_option
def status(*, as_json_: bool) -> None:
    """Show what the store contains: datasets, records, models, enrichments."""
    result = store_status(open_configured_store())
    if as_json_:
        click.echo(as_json(result))
        return
    for line in format_store_status(result, sys.stdout):
        click.echo(line)


@click.command()
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings as well as on faults.")
@json_option
def doctor(*, strict: bool, as_json_: bool) -> None:
    """Check machine, settings and store, and print what to do about each problem.

    Exits with 1 if there is a fault.
    """
    settings = load_settings()
    findings = list(examine(settings, connect_store(settings)))
    if as_json_:
        click.echo(as_json([dataclasses.asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            level = paint(f"{finding.level:<8}", _LEVEL_COLOURS[finding.level], sys.stdout)
            click.echo(f"{level} {finding.subject}: {finding.message}")
            if finding.remedy and finding.level != "good":
                click.echo(f"{'':<9}{finding.remedy}")
    failing = {"fault", "warning"} if strict else {"fault"}
    if any(finding.level in failing for finding in findings):
        raise SystemExit(1)


@click.command()
@click.option("--force", is_flag=True, help="Delete though the clock seems to be wrong.")
@json_option
def prune(*, force: bool, as_json_: bool) -> None:
    """Delete old data.

    Deletes requested inputs older than their dataset's retain_days, values of removed enrichers,
    answers and prediction counts older than three months, jobs that ended seven days ago with their
    files, runs older than 30 days, and workers that have been silent for a day.
    """
    deleted = prune_store(open_configured_store(), force=force)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in deleted.items())
    print_result(deleted, f"deleted {counts}", as_json_=as_json_)


@click.command()
@dataset_argument
@click.option(
    "--seconds",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.1, 600),
    help="How long to read.",
)
@json_option
def bench(dataset: str, seconds: float, *, as_json_: bool) -> None:
    """Measure how many stored predictions of DATASET one connection reads per second."""
    result = measure_reads(open_configured_store(), dataset, seconds)
    print_result(
        {**dataclasses.asdict(result), "rate": result.rate},
        f"{dataset}: {result.rate:,.0f} predictions read per second on one connection:"
        f" median {result.p50_microseconds:.1f} µs, p99 {result.p99_microseconds:.1f} µs",
        as_json_=as_json_,
    )


@click.command()
@click.argument("shell", type=click.Choice(sorted(SCRIPTS)))
def completion(shell: str) -> None:
    """Print a completion script for SHELL: eval "$(python -m db completion bash)"."""
    click.echo(SCRIPTS[shell], nl=False)
