"""Options, arguments and output that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from db.settings import load_settings
from db.store.store import Store, open_store

from .completion import dataset_names
from .console import as_json

FILE = click.Path(path_type=Path, dir_okay=False)
json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


def _complete_dataset(
    _context: click.Context, _parameter: click.Parameter, prefix: str
) -> list[str]:
    return [name for name in dataset_names() if name.startswith(prefix)]


dataset_argument = click.argument("dataset", shell_complete=_complete_dataset)


def open_configured_store() -> Store:
    """Return the store that DATABASE_URL names; raises StoreError if it cannot be used."""
    return open_store(load_settings())


def print_result(result: dict[str, Any], line: str, *, as_json_: bool) -> None:
    """Print a result: `line` for people, or `result` as JSON for programs."""
    click.echo(as_json(result) if as_json_ else line)
