"""The command that measures what the store costs."""

from __future__ import annotations

import dataclasses
import logging

import click

from db.cli.console import as_json

from .base import json_option


@click.command()
@click.option("--records", default=20_000, show_default=True, help="How many to enrich.")
@click.option(
    "--enrichers",
    default="language,text_profile",
    show_default=True,
    help="Names of enrichers that need no configuration.",
)
@click.option("--store", "url", default="", help="An empty store; one in a new file if none.")
@json_option
def bench(records: int, enrichers: str, url: str, *, as_json_: bool) -> None:
    """Measure what store, leases and child add to enrichers on lists in memory."""
    from enrich.benchmark import measure_overhead  # noqa: PLC0415  it makes tables, as no other does

    # Making the tables is not what is measured.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    made = measure_overhead(records, enrichers.split(","), url)
    if as_json_:
        click.echo(as_json({**dataclasses.asdict(made), "microseconds": made.microseconds}))
        return
    click.echo(
        f"{made.records:,} records, {', '.join(made.enrichers)}: {made.memory_seconds:.2f} s in"
        f" memory, {made.store_seconds:.2f} s through the store:"
        f" {made.microseconds:.0f} µs for each record and enricher"
    )
