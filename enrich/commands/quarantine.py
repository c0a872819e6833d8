"""Commands about records that an enricher could not take."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

import click
from sqlalchemy import Connection

from db.cli.console import as_json
from db.errors import VeilleuseError
from db.queue.quarantine import drop_quarantine, list_quarantine, retry_quarantine
from db.records.dataset import find_dataset
from db.store.engine import Store

from .base import json_option, maybe_dataset_argument, open_worker_store

key_option = click.option("--key", "keys", multiple=True, help="Only this record; may be repeated.")


@click.group()
def quarantine() -> None:
    """Look after records that an enricher could not take."""


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
            "--key: is no key; take one of: python -m enrich quarantine list"
        ) from None


@quarantine.command("list")
@maybe_dataset_argument
@json_option
def list_(dataset: str | None, *, as_json_: bool) -> None:
    """Show quarantined records, the latest first, with the reason of each."""
    store, _ = open_worker_store()
    of = _dataset_id(store, dataset)
    with store.reading() as connection:
        found = list_quarantine(connection, of)
    if as_json_:
        click.echo(as_json([dataclasses.asdict(one) for one in found]))
        return
    for one in found:
        at = dt.datetime.fromtimestamp(one.made_at, dt.UTC).isoformat(" ", "seconds")
        click.echo(f"{one.dataset} {one.key} {at} {one.enricher or 'its worker'}: {one.reason}")
        click.echo(f"  {one.inputs}")
    if not found:
        click.echo("no record is quarantined")


@quarantine.command("retry")
@maybe_dataset_argument
@key_option
@json_option
def retry(dataset: str | None, *, keys: tuple[str, ...], as_json_: bool) -> None:
    """Try quarantined records again: all, DATASET's, or those of --key."""
    count = _change(dataset, keys, retry_quarantine)
    words = f"{count:,} records will be tried again; now: python -m enrich once"
    click.echo(as_json({"retried": count}) if as_json_ else words)


@quarantine.command("drop")
@maybe_dataset_argument
@key_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def drop(dataset: str | None, *, keys: tuple[str, ...], yes: bool, as_json_: bool) -> None:
    """Erase quarantined records and all that came of them: all, DATASET's, or those of --key."""
    if not yes:
        click.confirm("Erase these records, their labels too?", abort=True, err=True)
    count = _change(dataset, keys, drop_quarantine)
    click.echo(as_json({"dropped": count}) if as_json_ else f"erased {count:,} records")


def _change(dataset: str | None, keys: tuple[str, ...], change: Callable[..., int]) -> int:
    store, _ = open_worker_store()
    of, wanted = _dataset_id(store, dataset), _keys(keys)

    def work(connection: Connection) -> int:
        return change(connection, of, wanted)

    return store.write(work)
