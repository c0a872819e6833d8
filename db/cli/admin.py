"""Commands about the store as a whole: upgrade, status, doctor, prune, bench, completion."""

from __future__ import annotations

import dataclasses

import click

from db.admin.doctor import examine
from db.admin.prune import prune_store
from db.admin.read_benchmark import measure_reads
from db.admin.status import store_status
from db.migrations import upgrade as upgrade_store
from db.settings import load_settings
from db.store.engine import check_reachable, connect_store, where

from .base import dataset_argument, json_option, open_our_store, say
from .completion import SCRIPTS
from .console import as_json


@click.command()
@json_option
def upgrade(*, as_json_: bool) -> None:
    """Create the store's tables, or bring them up to date.

    As often as you like; deploys run it each time.
    """
    store = connect_store(load_settings())
    check_reachable(store)
    version = upgrade_store(store)
    say({"version": version}, f"{where(store)}: tables are at {version}", as_json_=as_json_)


@click.command()
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


@click.command()
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


@click.command()
@json_option
def prune(*, as_json_: bool) -> None:
    """Drop what is out of date: old requests, values of enrichers that are gone, old runs."""
    dropped = prune_store(open_our_store())
    counts = ", ".join(f"{count:,} {what}" for what, count in dropped.items())
    say(dropped, f"dropped {counts}", as_json_=as_json_)


@click.command()
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
    found = measure_reads(open_our_store(), dataset, seconds)
    say(
        {**dataclasses.asdict(found), "rate": found.rate},
        f"{dataset}: {found.rate:,.0f} predictions read a second, one after the other: half within"
        f" {found.p50_microseconds:.1f} µs, 99 of 100 within {found.p99_microseconds:.1f} µs",
        as_json_=as_json_,
    )


@click.command()
@click.argument("shell", type=click.Choice(sorted(SCRIPTS)))
def completion(shell: str) -> None:
    """Print what SHELL needs to complete these commands: eval "$(python -m db completion bash)"."""
    click.echo(SCRIPTS[shell], nl=False)
