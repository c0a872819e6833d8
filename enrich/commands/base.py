"""What commands have in common."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from db.cli.completion import dataset_names
from db.settings import Settings, load_settings
from db.store.dialect import WORKER
from db.store.engine import Store, open_store

json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


def _names(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    return [name for name in dataset_names() if name.startswith(begun)]


dataset_argument = click.argument("dataset", shell_complete=_names)
maybe_dataset_argument = click.argument("dataset", required=False, shell_complete=_names)
# How a worker tells a command that it runs for itself where to say that it is writing.
lock_option = click.option("--lock", type=click.Path(path_type=Path), hidden=True)


def open_worker_store() -> tuple[Store, Settings]:
    """Return the store under a worker's name, and the settings."""
    settings = load_settings()
    return open_store(settings, name=WORKER), settings


def stop_on_signals() -> threading.Event:
    """Return what is set when the process is told to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
