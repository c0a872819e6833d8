"""Publication: the predictions of a dataset are written to a table of a user's database.

A run compares each page of rows with the table and writes what differs. It keeps no state, so that
it can be interrupted at any point and run again, and two runs at the same time do no harm.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from sqlalchemy import Connection

from db.errors import ExchangeError
from db.records.dataset import Dataset
from db.records.models.trained_model import active_model
from db.records.predictor import open_predictor
from db.spec.section import PublicationSpec
from db.store.store import Store

from .publication_opening import opened_table, split_name
from .publication_rows import has_rows, pages, present_ids
from .publication_table import PublicationCounts, PublicationTable
from .user_database import open_database, spec_database_url

__all__ = ["Destination", "PublicationCounts", "publish_predictions"]


@dataclass(frozen=True)
class Destination:
    """A table to publish to; `url` is a URL, or the name of an environment variable that has it."""

    url: str
    table: str
    remove_missing: bool = False


def publish_predictions(
    store: Store,
    dataset: Dataset,
    publication: PublicationSpec | Destination,
    environ: Mapping[str, str] = os.environ,
    progress: Callable[[int], None] = lambda _: None,
    uninterrupted: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> PublicationCounts:
    """Make the rows of the table equal to the predictions, a transaction per page.

    A row is updated if its prediction, numbers, source or model differ. A process that may be
    stopped at any moment passes `uninterrupted`, within which it is not: a stopped transaction
    would lock rows of the user's table. Raises ExchangeError if the destination cannot be used, and
    UnknownModel or SQLAlchemyError because of the store.
    """
    split_name(publication.table)
    url = spec_database_url(publication.url, environ)
    with store.reading() as connection:
        predictor = open_predictor(connection, dataset)
        if publication.remove_missing:
            _refuse_empty(connection, dataset)
        with (
            open_database(url, must_exist=False) as database,
            opened_table(database, dataset.spec, publication.table) as table,
        ):
            counts = PublicationCounts()
            for page in pages(connection, predictor):
                with uninterrupted():
                    counts += table.write(page)
                progress(len(page))
            if publication.remove_missing:
                counts += _remove_missing(connection, dataset, table, uninterrupted)
            return counts


def _refuse_empty(connection: Connection, dataset: Dataset) -> None:
    if not has_rows(connection, dataset):
        raise ExchangeError(
            f"{dataset.name}: has no row, so that --remove-missing would delete every row of the"
            " table; import the rows first"
        )


def _refuse_dropped(connection: Connection, dataset: Dataset) -> None:
    """Raise ExchangeError if rows may be missing because the dataset is being deleted.

    `db drop` first deactivates the model, then deletes the records in batches.
    """
    if active_model(connection, dataset.id) is None:
        raise ExchangeError(
            f"{dataset.name}: is being deleted, or has no active model any more; no more rows of"
            " the table are deleted"
        )


def _remove_missing(
    connection: Connection,
    dataset: Dataset,
    table: PublicationTable,
    uninterrupted: Callable[[], AbstractContextManager[None]],
) -> PublicationCounts:
    """Delete the rows of the table whose id the dataset does not have."""
    deleted = 0
    for page in table.ids():
        texts = [table.text_of(at) for at in page]
        present = present_ids(connection, dataset, texts)
        missing = [at for at, text in zip(page, texts, strict=True) if text not in present]
        if missing:
            # After the ids were read: what is true now was true of them.
            _refuse_dropped(connection, dataset)
            _refuse_empty(connection, dataset)
            with uninterrupted():
                table.delete(missing)
        deleted += len(missing)
    return PublicationCounts(deleted=deleted)
