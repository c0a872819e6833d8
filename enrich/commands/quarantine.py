"""Commands about quarantined records: list, retry, drop."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence

import click
from sqlalchemy import Connection

from db.cli.console import as_json
from db.cli.terminal.colour import paint
from db.cli.terminal.command_group import CommandGroup
from db.cli.terminal.duration import format_moment
from db.cli.terminal.table import Column, format_rows
from db.errors import VeilleuseError
from db.queue.quarantine import (
    Quarantined,
    drop_quarantine,
    list_quarantine,
    retry_quarantine,
)
from db.records.dataset import find_dataset
from db.store.store import Store

from .base import json_option, maybe_dataset_argument, open_worker_store

key_option = click.option(
    "--key", "keys", multiple=True, help="Only the record with this key; repeatable."
)


@click.group(cls=CommandGroup)
def quarantine() -> None:
    """List, retry or drop records on which an enricher fails."""


def _dataset_id(store: Store, name: str | None) -> int | None:
    if name is None:
        return None
    with store.reading() as connection:
        return find_dataset(connection, name).id


def _keys(texts: tuple[str, ...]) -> list[bytes]:
    try:
        return [bytes.fromhex(text) for text in texts]
    except ValueError:
        raise VeilleuseError(
            "--key: is not a key; list the keys: python -m enrich quarantine list"
        ) from None


@quarantine.command("list")
@maybe_dataset_argument
@json_option
def list_(dataset: str | None, *, as_json_: bool) -> None:
    """List quarantined records with their reasons, the latest first."""
    store, _ = open_worker_store()
    dataset_id = _dataset_id(store, dataset)
    with store.reading() as connection:
        quarantined = list_quarantine(connection, dataset_id)
    if as_json_:
        click.echo(as_json([dataclasses.asdict(record) for record in quarantined]))
        return
    for line in _format_list(quarantined):
        click.echo(line)
    if not quarantined:
        click.echo("no record is quarantined")


def _format_list(quarantined: Sequence[Quarantined]) -> Iterator[str]:
    """Yield a table of the records; below each of them the reason and its inputs."""
    if not quarantined:
        return
    rows = [(one.dataset, one.key, format_moment(one.made_at)) for one in quarantined]
    columns = Column("dataset"), Column("key"), Column("since")
    titles, *blocks = format_rows(columns, rows, sys.stdout)
    yield from (paint(line, "bold", sys.stdout) for line in titles)
    for record, lines in zip(quarantined, blocks, strict=True):
        yield from lines
        yield f"  {record.enricher or 'its worker'}: {record.reason}"
        yield f"  {record.inputs}"


@quarantine.command("retry")
@maybe_dataset_argument
@key_option
@json_option
def retry(dataset: str | None, *, keys: tuple[str, ...], as_json_: bool) -> None:
    """Release records from quarantine, so that they are tried again: all, DATASET's or --key's."""
    count = _change(dataset, keys, retry_quarantine)
    words = f"{count:,} records will be tried again; try them now: python -m enrich once"
    click.echo(as_json({"retried": count}) if as_json_ else words)


@quarantine.command("drop")
@maybe_dataset_argument
@key_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def drop(dataset: str | None, *, keys: tuple[str, ...], yes: bool, as_json_: bool) -> None:
    """Delete quarantined records with their labels and values: all, DATASET's or --key's."""
    if not yes:
        click.confirm("Delete these records with their labels?", abort=True, err=True)
    count = _change(dataset, keys, drop_quarantine)
    click.echo(as_json({"dropped": count}) if as_json_ else f"deleted {count:,} records")


def _change(dataset: str | None, keys: tuple[str, ...], change: Callable[..., int]) -> int:
    store, _ = open_worker_store()
    dataset_id, selected = _dataset_id(store, dataset), _keys(keys)

    def write(connection: Connection) -> int:
        return change(connection, dataset_id, selected)

    return store.write(write)
