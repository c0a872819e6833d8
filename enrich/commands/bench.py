"""The command bench: measures the overhead of the store."""

from __future__ import annotations

import dataclasses
import logging

import click

from db.cli.console import as_json

from .base import json_option


@click.command()
@click.option("--records", default=20_000, show_default=True, help="Number of records to enrich.")
@click.option(
    "--enrichers",
    default="language,text_profile",
    show_default=True,
    help="Enrichers to run, separated by commas; they must need no configuration.",
)
@click.option(
    "--store", "url", default="", help="URL of an empty store; by default a new SQLite file."
)
@json_option
def bench(records: int, enrichers: str, url: str, *, as_json_: bool) -> None:
    """Measure the overhead of store, leases and compute child over enriching in memory."""
    # The log of creating the tables is of no interest here, nor that of the import.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from enrich.benchmark import measure_overhead  # noqa: PLC0415  imports Alembic: it makes tables

    overhead = measure_overhead(records, enrichers.split(","), url)
    if as_json_:
        figures = {
            "microseconds": overhead.microseconds,
            "cpu_microseconds": overhead.cpu_microseconds,
        }
        click.echo(as_json({**dataclasses.asdict(overhead), **figures}))
        return
    click.echo(
        f"{overhead.records:,} records, {', '.join(overhead.enrichers)}:"
        f" {overhead.memory.seconds:.2f} s in memory,"
        f" {overhead.store.seconds:.2f} s through the store:"
        f" {overhead.microseconds:.0f} µs overhead per record and enricher,"
        f" {overhead.cpu_microseconds:.0f} µs of CPU time"
    )
