"""The command line of the store: `python -m db`."""

from __future__ import annotations

import signal
import sys

import click

from .cli import admin, backup, dataset, predict, publish, records
from .cli.completion import VARIABLE
from .cli.console import run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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
    sys.exit(run_command(lambda: cli(prog_name="python -m db", complete_var=VARIABLE)))
