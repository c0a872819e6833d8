"""What commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from db.settings import load_settings
from db.store.engine import Store, open_store

from .completion import dataset_names
from .console import as_json

FILE = click.Path(path_type=Path, dir_okay=False)
json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON.")


def _names(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    return [name for name in dataset_names() if name.startswith(begun)]


dataset_argument = click.argument("dataset", shell_complete=_names)


def open_our_store() -> Store:
    """Return the store that the settings name."""
    return open_store(load_settings())


def say(result: dict[str, Any], line: str, *, as_json_: bool) -> None:
    """Print what was done, for people or for programs."""
    click.echo(as_json(result) if as_json_ else line)
