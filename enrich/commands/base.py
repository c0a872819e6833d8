"""Options, arguments and signal handling that commands share."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import click

from db.cli.completion import dataset_names
from db.settings import Settings, load_settings
from db.store.dialect import WORKER_NAME
from db.store.store import Store, open_store

# A store that hangs must not keep a command from ending.
CUT_SECONDS = 3.0
json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


def _complete_dataset(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    return [name for name in dataset_names() if name.startswith(incomplete)]


dataset_argument = click.argument("dataset", shell_complete=_complete_dataset)
maybe_dataset_argument = click.argument("dataset", required=False, shell_complete=_complete_dataset)
# A worker passes this to the commands that it runs: a command holds the lock while it writes.
lock_option = click.option("--lock", type=click.Path(path_type=Path), hidden=True)


def open_worker_store() -> tuple[Store, Settings]:
    """Return the store, its connections named as a worker's, and the settings."""
    settings = load_settings()
    return open_store(settings, name=WORKER_NAME), settings


def stop_on_signals() -> threading.Event:
    """Return an event that is set on SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def end_waits(store: Store, stop: threading.Event) -> None:
    """Once `stop` is set, end what waits for the store for longer than CUT_SECONDS."""

    def cut() -> None:
        stop.wait()
        while True:
            time.sleep(CUT_SECONDS)
            store.sessions.cut()

    threading.Thread(target=cut, name="cutter", daemon=True).start()
