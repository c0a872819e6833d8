"""The rows of a backup, with all their types checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

import msgspec
from sqlalchemy import Table

from db.errors import BackupError
from db.store.tables import SCHEMA

from .contents import kept_tables, row_type
from .frames import (
    FORMAT,
    HEADER,
    LARGE_ROW,
    ROWS,
    TABLE,
    End,
    Frame,
    Header,
    TableStart,
    read_frames,
)


class Batch(NamedTuple):
    """Rows of one table, which is None if this code does not know the table."""

    table: Table | None
    start: TableStart
    rows: list[tuple[Any, ...]]


def read_backup(file: IO[bytes], name: str) -> tuple[Header, Iterator[Batch]]:
    """Return a backup's header, and its rows, which are read while they are iterated over.

    A table begins with a batch without rows. Iterating raises BackupError if the backup is damaged.
    """
    frames = read_frames(file, name)
    return _header(next(frames), name), _read_batches(frames, name)


def _header(frame: Frame, name: str) -> Header:
    if frame.kind != HEADER:
        raise BackupError(f"{name}: its header is missing, so nothing was restored")
    header: Header = _decode(frame, Header, name)
    if header.format > FORMAT or header.schema > SCHEMA:
        raise BackupError(
            f"{name}: a newer release made it, with tables of version {header.schema}, and this one"
            f" knows {SCHEMA}; nothing was restored; restore it with the release that made it"
        )
    return header


def _read_batches(frames: Iterable[Frame], name: str) -> Iterator[Batch]:
    known = {table.name: table for table in kept_tables()}
    batch = Batch(None, TableStart("", ()), [])
    kind: Any = None
    counts: Counter[str] = Counter()
    for frame in frames:
        if frame.kind == TABLE:
            start = _decode(frame, TableStart, name)
            batch = Batch(known.get(start.name), start, [])
            kind = row_type(batch.table, start.columns)
            yield batch
        elif frame.kind in {ROWS, LARGE_ROW} and kind is not None:
            rows = _decode_rows(frame, kind, name)
            counts[batch.start.name] += len(rows)
            yield batch._replace(rows=rows)
        else:
            _check_counts(frame, counts, name)


def _decode_rows(frame: Frame, kind: Any, name: str) -> list[tuple[Any, ...]]:  # noqa: ANN401
    if frame.kind == LARGE_ROW:
        return [_decode(frame, kind, name)]
    rows: list[tuple[Any, ...]] = _decode(frame, list[kind], name)
    return rows


def _check_counts(frame: Frame, counts: Counter[str], name: str) -> None:
    end = _decode(frame, End, name)
    if {table: count for table, count in end.rows.items() if count} != dict(counts):
        raise BackupError(f"{name}: its rows are not as many as it says; nothing was restored")


def _decode(frame: Frame, kind: Any, name: str) -> Any:  # noqa: ANN401
    try:
        return msgspec.msgpack.decode(frame.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BackupError(
            f"{name}: has a value of the wrong type, so nothing was restored: {error}"
        ) from None
