"""The settings: read from environment variables only, and checked at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from db.errors import SettingError

from .address import masked
from .store import StoreSettings
from .web import WebSettings
from .worker import WorkerSettings

# A longer value would fill the terminal and the log.
MOST_SHOWN = 300


@dataclass(frozen=True)
class Settings(WorkerSettings, WebSettings, StoreSettings):
    """The settings; the environment variable of each is the attribute's name in upper case."""


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raises SettingError for the first one that is not valid.

    An empty variable counts as unset.
    """
    values = {}
    for setting in fields(Settings):
        name = setting.name.upper()
        text = environ.get(name, "").strip()
        if not text:
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            shown = "***" if name.endswith("_KEYS") else text
            if name == "DATABASE_URL":
                shown = masked(text)
            raise SettingError(
                f"{name}={_shortened(repr(shown))}: {_shortened(str(error))};"
                f" unset it to use {setting.default!r}"
            ) from None
    settings = Settings(**values)
    _check_gate(settings)
    if settings.database_schema and settings.database_url.startswith("sqlite"):
        raise SettingError("DATABASE_SCHEMA: SQLite has no schemas; unset it, or use PostgreSQL")
    if "DYNO" in environ and settings.database_url.startswith("sqlite"):
        raise SettingError(
            "DATABASE_URL: dynos do not share a disk, so each would have its own SQLite store;"
            " add PostgreSQL: heroku addons:create heroku-postgresql"
        )
    return settings


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _check_gate(settings: Settings) -> None:
    """Raise SettingError if the gate would close at a reading at which it opens."""
    if settings.gate_open_cores > settings.gate_close_cores:
        raise SettingError(
            f"GATE_OPEN_CORES={settings.gate_open_cores:g}: must not be above"
            f" GATE_CLOSE_CORES={settings.gate_close_cores:g}"
        )
    if settings.gate_open_memory < settings.gate_close_memory:
        raise SettingError(
            f"GATE_OPEN_MEMORY={settings.gate_open_memory:g}: must not be below"
            f" GATE_CLOSE_MEMORY={settings.gate_close_memory:g}"
        )
