"""The files of jobs, which the store keeps in parts, so that no process holds a whole one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO, Literal, TypeAlias

from sqlalchemy import Connection, delete, func, insert, select

from db.errors import VeilleuseError
from db.store import tables
from db.store.store import Store, let_others_write

Role: TypeAlias = Literal["input", "output"]
# Raises if the file may no longer be written; called in the transaction of each part.
Check: TypeAlias = Callable[[Connection], object]

INPUT: Role = "input"
OUTPUT: Role = "output"
# A transaction for each, so that others can write in between. With 512 KiB, a web process that
# receives a file grew by 3.5 MiB instead of 0.5.
PART_BYTES = 2**17


class FileTooLarge(VeilleuseError):
    """The file is larger than it may be."""


def write_file(
    store: Store,
    job_id: int,
    role: Role,
    pieces: Iterable[bytes],
    most_bytes: int,
    check: Check = lambda _: None,
) -> int:
    """Write a file from its pieces, in a transaction for each part; return its size.

    Raises FileTooLarge; the caller then deletes the job or the file.
    """
    size = 0
    for number, part in enumerate(in_parts(pieces)):
        size += len(part)
        if size > most_bytes:
            raise FileTooLarge(f"the file has more than {most_bytes:,} bytes")
        store.write(
            partial(_write_part, job_id=job_id, role=role, number=number, data=part, check=check)
        )
        let_others_write()
    return size


def in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of pieces of any size in parts of PART_BYTES; the last may be shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PART_BYTES:
            yield bytes(memoryview(waiting)[:PART_BYTES])
            del waiting[:PART_BYTES]
    if waiting:
        yield bytes(waiting)


def _write_part(
    connection: Connection,
    job_id: int,
    role: Role,
    number: int,
    data: bytes,
    check: Check,
) -> None:
    check(connection)
    connection.execute(
        insert(tables.job_file).values(job_id=job_id, role=role, part=number, data=data)
    )


def read_file(store: Store, job_id: int, role: Role) -> Iterator[bytes]:
    """Yield the parts of a file; no connection is held between two of them."""
    number = 0
    columns = tables.job_file.c
    query = select(columns.data).where(columns.job_id == job_id, columns.role == role)
    while True:
        with store.reading() as connection:
            part = connection.execute(query.where(columns.part == number)).scalar_one_or_none()
        if part is None:
            return
        yield bytes(part)
        number += 1


def copy_file(store: Store, job_id: int, role: Role, target: BinaryIO) -> int:
    """Copy a file of the store into an open file; return its size."""
    return sum(target.write(part) for part in read_file(store, job_id, role))


def file_size(connection: Connection, job_id: int, role: Role) -> int | None:
    """Return the size of a file in bytes, None if there is none."""
    columns = tables.job_file.c
    query = select(func.sum(func.length(columns.data))).where(
        columns.job_id == job_id, columns.role == role
    )
    size = connection.execute(query).scalar_one()
    return None if size is None else int(size)


def delete_file(connection: Connection, job_id: int, role: Role) -> None:
    """Delete a file of a job, if it has one."""
    columns = tables.job_file.c
    connection.execute(
        delete(tables.job_file).where(columns.job_id == job_id, columns.role == role)
    )
