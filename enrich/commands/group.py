"""The commands of `python -m enrich`."""

from __future__ import annotations

import logging
import sys

import click

from .bench import bench
from .exchange import import_, publish
from .models import activate, evaluate, models, survey, train
from .quarantine import quarantine
from .status import status
from .workers import once, pause, resume, run


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
