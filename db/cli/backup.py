"""Commands for backups: backup, restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from db.admin.backup.backup import backup_store
from db.admin.backup.restore import restore_store
from db.errors import BackupError

from .base import FILE, json_option, open_configured_store, print_result
from .console import Interrupted, counted
from .terminal.progress_bar import ProgressBar

_NEW_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command()
@click.argument("file", type=_NEW_FILE)
@json_option
def backup(file: Path, *, as_json_: bool) -> None:
    """Write the whole store into FILE while everything runs; "-" is standard output.

    All of it is of one moment. FILE can be restored into SQLite and PostgreSQL alike. It appears
    when it is complete, replaces an older backup, and only its owner may read it.
    """
    is_output = str(file) == "-"
    progress = ProgressBar("backup")
    progress.begin("reading the store")
    with _interruption(f"{file}: interrupted, so no backup was written; run it again"):
        rows = backup_store(open_configured_store(), None if is_output else file, progress.advance)
    progress.end()
    line = f"{counted(sum(rows.values()), 'row')} of {counted(len(rows), 'table')}"
    if is_output:
        click.echo(line, err=True)
        return
    size = file.stat().st_size
    result = {"file": str(file), "bytes": size, "rows": rows}
    print_result(result, f"{file}: {line}, {size / 2**20:,.1f} MiB", as_json_=as_json_)


@click.command()
@click.argument("file", type=FILE)
@json_option
def restore(file: Path, *, as_json_: bool) -> None:
    """Restore the backup FILE into an empty store, whose tables `upgrade` has made.

    Nothing is written if FILE is damaged or the store has data. Stop web processes and workers
    first, and start them again afterwards.
    """
    progress = ProgressBar("restore")
    progress.begin(f"checking {file.name}")
    with _interruption(f"{file}: interrupted, so nothing was restored; run it again"):
        contents = restore_store(open_configured_store(), file, progress.advance)
    progress.end()
    for name in contents.unknown:
        click.echo(f"{name}: this release does not have it, so it was left out", err=True)
    rows = sum(contents.rows.values())
    made = f"a backup from {contents.header.database}"
    result = {"rows": contents.rows, "left_out": contents.unknown}
    print_result(result, f"restored {counted(rows, 'row')} of {made}", as_json_=as_json_)


@contextmanager
def _interruption(message: str) -> Iterator[None]:
    """Say what a signal has ended: of one transaction, no finished work is kept."""
    try:
        yield
    except Interrupted:
        raise BackupError(message) from None
