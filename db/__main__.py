"""The command line of the store: `python -m db`."""

from __future__ import annotations

import signal
import sys

import click

from .cli import admin, backup, dataset, label, predict, publish, records
from .cli.completion import VARIABLE
from .cli.console import run_command
from .cli.terminal.command_group import CONTEXT_SETTINGS, CommandGroup, invoke_group


@click.group(cls=CommandGroup, context_settings=CONTEXT_SETTINGS)
def cli() -> None:
    """Manage the store: its tables, datasets and records.

    Settings are environment variables, such as DATABASE_URL; README.md lists them.
    """


for command in (
    admin.upgrade,
    dataset.load,
    dataset.infer,
    dataset.drop,
    records.import_,
    predict.predict,
    label.label,
    records.export,
    publish.publish,
    admin.status,
    admin.doctor,
    admin.prune,
    backup.backup,
    backup.restore,
    records.forget,
    admin.bench,
    admin.completion,
):
    cli.add_command(command)


if __name__ == "__main__":
    # End silently, as other Unix filters do, if the reader of an export closes the pipe.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(run_command(lambda: invoke_group(cli, "python -m db", VARIABLE)))
