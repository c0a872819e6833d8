"""Check who may read the files of an SQLite store."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from .finding import Finding

_ENDINGS = ("", "-wal", "-shm")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_file_access(store: Path) -> Iterator[Finding]:
    """Yield a warning if users besides the owner may read or write the store's files."""
    open_files = [file for file in _files(store) if file.stat().st_mode & _OTHERS]
    if open_files:
        mode = stat.S_IMODE(open_files[0].stat().st_mode)
        message = f"other users of this machine may read {open_files[0]} (mode {mode:04o})"
        remedy = f"chmod 600 {' '.join(map(str, open_files))}, unless they are meant to"
        yield Finding("warning", "file access", message, remedy)
    elif store.exists():
        yield Finding("good", "file access", "only their owner may read the store's files")


def _files(store: Path) -> list[Path]:
    files = (store.with_name(store.name + ending) for ending in _ENDINGS)
    return [file for file in files if file.exists()]
