"""The command that gives a record its label."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import partial

import click
from sqlalchemy import Connection

from db.errors import UnknownRecord, UnknownRow
from db.labels.record_label import give_label, mark_unsure, remove_label
from db.records.dataset import Dataset, find_dataset
from db.records.lookup import find_row

from .base import dataset_argument, json_option, open_configured_store, print_result

UNNAMED = "command line"


@click.command()
@dataset_argument
@click.argument("values", nargs=-1, metavar="[KEY] [LABEL]")
@click.option("--row", metavar="ID", help="Label the record of the row with this id, without KEY.")
@click.option("--remove", is_flag=True, help="Take the record's labels away, without LABEL.")
@click.option("--unsure", is_flag=True, help="Note that you cannot tell the label, without LABEL.")
@json_option
def label(
    dataset: str,
    values: tuple[str, ...],
    *,
    row: str | None,
    remove: bool,
    unsure: bool,
    as_json_: bool,
) -> None:
    """Give a record of DATASET its label.

    KEY is the record's key, as export prints it. The label replaces those of the record's rows,
    until an import brings a newer one.
    """
    key, value = _split(values, has_row=row is not None, has_label=not (remove or unsure))
    if remove and unsure:
        raise click.UsageError("--remove and --unsure cannot be used together")
    store = open_configured_store()
    with store.writing() as connection:
        found = find_dataset(connection, dataset)
        wanted = _row_key(connection, found, row) if row is not None else _read_key(key)
        change = _change(found, wanted, value, remove=remove, unsure=unsure)
        observation = change(connection, author=_author())
    done = "label removed" if remove else "noted as not sure" if unsure else value
    print_result(
        {"key": wanted.hex(), "label": value or None, "observation": observation},
        f"{dataset} {wanted.hex()}: {done}",
        as_json_=as_json_,
    )


def _split(values: tuple[str, ...], *, has_row: bool, has_label: bool) -> tuple[str, str]:
    """Return the key and the label among the arguments, "" for each that is given otherwise."""
    names = [] if has_row else ["KEY"]
    names += ["LABEL"] if has_label else []
    if len(values) != len(names):
        wanted = " and ".join(names) or "no KEY and no LABEL"
        raise click.UsageError(f"with these options, give {wanted} after the dataset")
    given = dict(zip(names, values, strict=True))
    return given.get("KEY", ""), given.get("LABEL", "")


def _change(
    dataset: Dataset, key: bytes, value: str, *, remove: bool, unsure: bool
) -> Callable[..., int]:
    if remove:
        return partial(remove_label, dataset=dataset, key=key)
    if unsure:
        return partial(mark_unsure, dataset=dataset, key=key)
    return partial(give_label, dataset=dataset, key=key, label=value)


def _row_key(connection: Connection, dataset: Dataset, row_id: str) -> bytes:
    found = find_row(connection, dataset.id, row_id)
    if found is None:
        raise UnknownRow(f"{dataset.name} has no row with the id {row_id!r}")
    return found.key


def _read_key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UnknownRecord(f"{text!r} is not a key; a key has 32 hex digits") from None


def _author() -> str:
    """Return the login name, which a process in a container may not have."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return UNNAMED
