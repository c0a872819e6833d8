"""The command line of the worker: `python -m enrich`."""

from __future__ import annotations

import logging
import sys

import click

from db.completion import VARIABLE
from db.console import run_command

from .commands.bench import bench
from .commands.learning import activate, evaluate, models, survey, train
from .commands.progress import status
from .commands.quarantine import quarantine
from .commands.work import once, pause, resume, run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Enrich records and train models.

    Settings come from the environment, such as DATABASE_URL and GATE_*; README.md lists them.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)


for command in (
    train,
    evaluate,
    models,
    activate,
    survey,
    once,
    run,
    status,
    pause,
    resume,
    quarantine,
    bench,
):
    cli.add_command(command)

if __name__ == "__main__":
    sys.exit(run_command(lambda: cli(prog_name="python -m enrich", complete_var=VARIABLE)))
