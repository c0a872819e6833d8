"""The command line of the worker: `python -m enrich`."""

from __future__ import annotations

import logging
import sys

import click

from db.cli.completion import VARIABLE
from db.cli.console import run_command
from enrich.commands.bench import bench
from enrich.commands.exchange import import_, publish
from enrich.commands.models import activate, evaluate, models, survey, train
from enrich.commands.quarantine import quarantine
from enrich.commands.status import status
from enrich.commands.workers import once, pause, resume, run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Enrich records and train models.

    Settings are environment variables, such as DATABASE_URL and GATE_*; README.md lists them.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)


for command in (
    train,
    evaluate,
    models,
    activate,
    survey,
    import_,
    publish,
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
