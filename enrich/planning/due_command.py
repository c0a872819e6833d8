"""The commands that are due: imports, analyses, training and publications."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.queue.run_history import is_running
from db.records.dataset import Dataset, all_datasets
from db.settings import Settings
from db.store.dialect import is_unreachable
from db.store.store import Store

from .analysis_due import analysis_due
from .exchange_due import import_due, publication_due
from .maintenance import is_usable, training_due

# Why a command is due for a dataset, "" if it is not. An import comes before training, and a
# publication after it.
_FIND_REASON: dict[str, Callable[[Connection, Dataset, Settings], str]] = {
    "import": import_due,
    "survey": analysis_due,
    "train": training_due,
    "publish": publication_due,
}
# The commands that exchange rows with users' databases.
EXCHANGES = frozenset({"import", "publish"})


@dataclass(frozen=True)
class Due:
    """A command that is due for a dataset, and why."""

    command: str
    dataset: str
    reason: str


OnError: TypeAlias = Callable[[str, Exception], None]


def raise_error(_what: str, error: Exception) -> None:
    """Raise an error that would otherwise be reported."""
    raise error


def due_subcommands(store: Store, settings: Settings, on_error: OnError = raise_error) -> list[Due]:
    """Return the commands that are due, without those that another worker is running.

    A dataset for which that cannot be found out is reported to `on_error`, and the others go on.
    """
    with store.reading() as connection:
        return list(_each_due(connection, settings, _commands_of, on_error))


def is_exchange_due(store: Store, settings: Settings, failed: Container[Due] = ()) -> bool:
    """Return True if rows are to be imported from a user's database, or predictions published.

    What has `failed` for the same reason is left out.
    """
    with store.reading() as connection:
        exchanges = _each_due(connection, settings, _exchanges_of, lambda _what, _error: None)
        return any(due not in failed for due in exchanges)


def _each_due(
    connection: Connection,
    settings: Settings,
    commands_of: Callable[[Dataset, Settings], Collection[str]],
    on_error: OnError,
) -> Iterator[Due]:
    """Yield which of the commands that `commands_of` returns for a dataset are due for it."""
    for dataset in all_datasets(connection):
        try:
            yield from list(_due_of(connection, settings, dataset, commands_of(dataset, settings)))
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and is_unreachable(error):
                raise
            on_error(f"{dataset.name}: finding out what is due", error)


def _due_of(
    connection: Connection, settings: Settings, dataset: Dataset, commands: Collection[str]
) -> Iterator[Due]:
    for command, find_reason in _FIND_REASON.items():
        if command not in commands or is_running(connection, dataset.id, command):
            continue
        if reason := find_reason(connection, dataset, settings):
            yield Due(command, dataset.name, reason)


def _commands_of(dataset: Dataset, settings: Settings) -> set[str]:
    exchanges = _exchanges_of(dataset, settings)
    # If it is not usable, the error is reported when a worker makes the plan of the dataset.
    return exchanges | {"survey", "train"} if is_usable(dataset, settings) else exchanges


def _exchanges_of(dataset: Dataset, _settings: Settings) -> set[str]:
    sections = {"import": dataset.spec.source, "publish": dataset.spec.publish}
    return {command for command, section in sections.items() if section is not None}
