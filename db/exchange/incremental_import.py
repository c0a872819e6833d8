"""Import the rows of a query: all of them, or those that changed since the last run."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import msgspec
from msgspec import structs
from sqlalchemy import Connection, select

from db.errors import ExchangeError, ImportRunning
from db.files.importer import ImportResult, import_sources
from db.files.source_file import Layout, SourceRow
from db.files.spool import Spool
from db.ingestion.present_ids import PresentIds
from db.ingestion.submission import newest_row
from db.records.dataset import Dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.section import SourceSpec
from db.store import tables
from db.store.dialect import import_lock, upsert
from db.store.store import Store

from .query_source import Query, opened_query
from .since_position import (
    Newest,
    Position,
    begin_of_run,
    decode_position,
    encode_position,
    later_of,
    not_after,
)
from .user_database import UserDatabase, open_database, spec_database_url


@dataclass(frozen=True)
class _Run:
    """One import of a query: `known` is the position of the run before, None to read all rows."""

    target: Dataset
    source: SourceSpec
    key: bytes
    known: Position | None
    needs_overlap: bool


@dataclass(frozen=True)
class _QueryRows:
    """The rows that were read, and the position up to which they reach."""

    spool: Spool
    key: bytes
    newest: Newest | None
    position: Position | None

    @property
    def name(self) -> str:
        return self.spool.name

    def layout(self) -> Layout:
        return self.spool.layout()

    def rows(self) -> Iterator[SourceRow]:
        return self.spool.rows()

    def digest(self) -> bytes:
        # Rows with ids are recognised by them, so all runs of a query are one submission.
        return self.key or self.spool.digest()


def import_from_source(  # noqa: PLR0913  one parameter per option
    store: Store,
    target: Dataset,
    source: SourceSpec,
    environ: Mapping[str, str] = os.environ,
    *,
    strict: bool = False,
    add: bool = False,
    read_all: bool = False,
    needs_overlap: bool = False,
    uninterrupted: Callable[[], AbstractContextManager[None]] = nullcontext,
    expect: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Import the rows of a query; raises ExchangeError or DataFileError.

    With a `since_column`, rows that changed since the last run, unless `read_all`; with
    `needs_overlap`, it may not be a number. How far it came is stored when all rows of the run are
    in the store: an interrupted run is repeated. The `url` of the source may also be a URL. Raises
    ImportRunning if another process does the same for this dataset.

    A process that may be stopped at any moment passes `uninterrupted`, within which it is not: a
    stopped reader would keep locks in the user's database.
    """
    _check_id(target.spec, source)
    with ExitStack() as opened:
        _lock(opened, store, target)
        with store.reading() as connection:
            last_id = newest_row(connection)
        url = spec_database_url(source.url, environ)
        database = opened.enter_context(open_database(url, read_only=True))
        key = _source_key(target.spec, source, database) if target.spec.id else b""
        known = None
        if source.since_column and not read_all:
            known = _read_position(store, target.id, key)
        run = _Run(target, source, key, known, needs_overlap=needs_overlap)
        present = opened.enter_context(closing(PresentIds())) if source.remove_missing else None
        rows = opened.enter_context(_read_rows(database, run, present, uninterrupted))
        result = import_sources(
            store,
            target,
            [rows],
            last_id=last_id,
            strict=strict,
            add=add,
            present=present,
            is_part=known is not None,
            expect=expect,
            progress=progress,
        )
        if known is None and not (result.rows or result.bad):
            result.notes.append("the query returned no row")
        if rows.newest is not None:
            _finish(store, run, rows, rows.newest, result)
    return result


def _lock(opened: ExitStack, store: Store, target: Dataset) -> None:
    """Keep other imports from reading an older state of the database, and writing it later."""
    if not opened.enter_context(import_lock(store.reader, target.id)):
        raise ImportRunning(
            f"{target.name}: another import from its database is running; wait for its end"
        )


def _check_id(spec: DatasetSpec, source: SourceSpec) -> None:
    for option in ("since_column", "remove_missing"):
        if getattr(source, option) and not spec.id:
            raise ExchangeError(
                f"{spec.name}: has no id, which --{option.replace('_', '-')} needs to recognise"
                ' rows; add id = "COLUMN" to its TOML file and load it again'
            )


def _source_key(spec: DatasetSpec, source: SourceSpec, database: UserDatabase) -> bytes:
    """Return SHA-256 over what decides which rows are read, and how.

    A changed spec reads values differently, so its first run reads all rows again.
    """
    reading = structs.replace(spec, enrichers={}, source=None, publish=None, title="", teacher="")
    socket = database.engine.url.query.get("host", "")
    parts = [database.name, socket, source.query, source.since_column, reading]
    return hashlib.sha256(msgspec.json.encode(parts)).digest()


@contextmanager
def _read_rows(
    database: UserDatabase,
    run: _Run,
    present: PresentIds | None,
    uninterrupted: Callable[[], AbstractContextManager[None]],
) -> Iterator[_QueryRows]:
    """Read the database in one transaction, which has ended when the rows are yielded."""
    source = run.source
    with ExitStack() as kept:
        with uninterrupted(), opened_query(database, source.query) as query:
            since = None
            if run.known is not None:
                begin = begin_of_run(run.known, source.overlap_seconds)
                since = (source.since_column, begin)
            newest = None
            if source.since_column:
                newest = Newest(source.since_column, query.has_text_times)
            spool = kept.enter_context(query.spooled(since, newest))
            if present is not None and since is not None:
                query.read_ids(run.target.spec, present)
            if run.needs_overlap and newest is not None:
                _check_overlap(newest)
            position = _position(query, newest)
        yield _QueryRows(spool, run.key, newest, position)


def _check_overlap(newest: Newest) -> None:
    if isinstance(newest.value, int | float | Decimal):
        raise ExchangeError(
            f"{newest.column}: is a number, and --overlap is in seconds; leave out --overlap, or"
            " name a column of times"
        )


def _position(query: Query, newest: Newest | None) -> Position | None:
    if newest is None or newest.value is None:
        return None
    return not_after(newest.value, query.clock(newest.column, newest.value))


def _finish(
    store: Store, run: _Run, rows: _QueryRows, newest: Newest, result: ImportResult
) -> None:
    """Note how far the query has been read, and what a person should know about it."""
    column = newest.column
    result.unused.discard(column)
    result.notes += _notes(rows, newest, result)
    position = later_of(run.known, rows.position)
    if position is not None:
        values = {
            "dataset_id": run.target.id,
            "source": run.key,
            "position": encode_position(position),
            "made_at": time.time(),
        }
        store.write(partial(_write_position, values=values))


def _notes(rows: _QueryRows, newest: Newest, result: ImportResult) -> Iterator[str]:
    column = newest.column
    if newest.missing:
        yield f"{column}: {newest.missing:,} rows have none, so every run reads them"
    if newest.value != rows.position:
        yield (
            f"{column}: the highest value, {newest.value}, is after the database's clock, so the"
            f" next run begins at {rows.position}"
        )
    if result.bad:
        yield (
            f"the next run reads a bad row only if its {column} has changed; after a change of the"
            " TOML file it reads all rows, and so does --all"
        )


def _write_position(connection: Connection, values: dict[str, object]) -> None:
    upsert(connection, tables.import_position, [values], ("dataset_id", "source"))


def _read_position(store: Store, dataset_id: int, key: bytes) -> Position | None:
    position = tables.import_position.c
    query = select(position.position).where(
        position.dataset_id == dataset_id, position.source == key
    )
    with store.reading() as connection:
        text = connection.execute(query).scalar()
    return None if text is None else decode_position(text)
