"""The commands of `python -m enrich`."""

from __future__ import annotations

import click

from db.cli.terminal.command_group import CONTEXT_SETTINGS, CommandGroup
from db.cli.terminal.log_format import log_to_stderr

from .bench import bench
from .exchange import import_, publish
from .job import job
from .models import activate, evaluate, models, survey, train
from .quarantine import quarantine
from .status import status
from .workers import once, pause, resume, run


@click.group(cls=CommandGroup, context_settings=CONTEXT_SETTINGS)
def cli() -> None:
    """Enrich records and train models.

    Settings are environment variables, such as DATABASE_URL and GATE_*; README.md lists them.
    """
    log_to_stderr()


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
    job,
):
    cli.add_command(command)
