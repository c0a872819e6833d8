"""The file of a backup: only its owner may read it, and it appears when it is complete."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from db.errors import BackupError

from .frames import read_frames


@contextmanager
def new_backup_file(path: Path | None) -> Iterator[IO[bytes]]:
    """Open a file to write a backup into, which is standard output without a path.

    At the end of the block it is at its place and on the disk; after an error it is nowhere, and a
    backup that was at its place is still there.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with _errors_named(path):
        _check_place(path)
        number, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                file.flush()
                os.fsync(number)
            Path(part).replace(path)
            _sync_folder(path.parent)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


@contextmanager
def open_backup_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a backup for reading."""
    with _errors_named(path), path.open("rb") as file:
        yield file


def _check_place(path: Path) -> None:
    """Raise BackupError if there is something at the place of a backup that is not a backup."""
    if not path.exists():
        return
    if not path.is_file():
        # Opening a pipe would wait for its other end.
        raise BackupError(f"{path}: is no file; to write into a pipe, give - instead of a file")
    with path.open("rb") as file:
        try:
            next(read_frames(file, str(path)))
        except BackupError:
            raise BackupError(
                f"{path}: exists and is not a backup, so it was not replaced; choose another name"
            ) from None


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"{path}: {error.strerror}; choose a file in a folder with room, where this user may"
            " write"
        ) from None


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
