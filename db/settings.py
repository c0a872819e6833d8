"""The settings: declared here, read from environment variables only, checked at start."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .errors import SettingError

T = TypeVar("T")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,12}", text) else low - 1
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return parse


def _number(low: float, high: float, unit: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text) else low - 1
        if not low <= number <= high:
            raise ValueError(f"must be from {low:g} to {high:g} {unit}")
        return number

    return parse


def _comma_separated(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _keys(text: str) -> tuple[str, ...]:
    keys = _comma_separated(text)
    for key in keys:
        if not key.isascii():
            raise ValueError(
                "a key must be ASCII, because HTTP headers do not carry other characters unchanged"
            )
        if key.startswith("sha256:") and not re.fullmatch(r"sha256:[0-9a-f]{64}", key):
            raise ValueError(
                "sha256: must be followed by the 64 lower-case hex digits of the key's SHA-256"
            )
    return keys


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return parse


def _database_url(text: str) -> str:
    """Return the URL with the driver that we install; Heroku writes `postgres://`."""
    for prefix in ("postgres://", "postgresql://"):
        if text.startswith(prefix):
            text = "postgresql+psycopg://" + text.removeprefix(prefix)
    if not text.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must start with sqlite:/// or postgresql://")
    file, _, options = text.removeprefix("sqlite:///").partition("?")
    if file in {"", ":memory:"} or "mode=memory" in options:
        raise ValueError("must name a file, because several processes share the store")
    try:
        make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("must continue with USER:PASSWORD@HOST:PORT/NAME after the //") from None
    return text


def _without_password(text: str) -> str:
    return re.sub(r"//.*@", "//***@", text)


def _setting(default: T, parse: Callable[[str], T], meaning: str) -> T:
    declared: T = field(default=default, metadata={"parse": parse, "meaning": meaning})
    return declared


@dataclass(frozen=True)
class Settings:
    """The settings; the environment variable of each is the attribute's name in upper case."""

    database_url: str = _setting(
        "sqlite:///veilleuse.db",
        _database_url,
        "the SQL store: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
    )
    host: str = _setting("127.0.0.1", str, "address on which the web process listens")
    port: int = _setting(8000, _integer(1, 65535), "port on which the web process listens")
    web_concurrency: int = _setting(
        1, _integer(1, 64), "number of web processes, which share the port"
    )
    server: str = _setting(
        "waitress",
        _choice("waitress", "granian"),
        "HTTP server: waitress, or granian for thousands of connections at once",
    )
    queue_seconds: float = _setting(
        5.0,
        _number(0.01, 3600, "seconds"),
        "seconds a request may wait for a thread before it gets 503 with Retry-After",
    )
    web_threads: int = _setting(4, _integer(1, 64), "threads per web process that handle requests")
    student_ttl: float = _setting(
        30.0, _number(0, 86400, "seconds"), "seconds a student's prediction stays in the cache"
    )
    cache_entries: int = _setting(
        10_000, _integer(0, 1_000_000), "maximum number of responses in a web process's cache"
    )
    cache_mib: float = _setting(
        2.0,
        _number(0, 1e5, "MiB"),
        "maximum size in MiB of the caches of all web processes together",
    )
    max_age: int = _setting(
        0,
        _integer(0, 31_536_000),
        "seconds a browser or proxy may reuse a teacher's prediction without asking again",
    )
    queue_entries: int = _setting(
        10_000,
        _integer(1, 1_000_000),
        "maximum number of unseen inputs in a web process that wait to be written to the store",
    )
    waiting_records: int = _setting(
        100_000,
        _integer(0, 100_000_000),
        "maximum number of unseen inputs per dataset that wait in the store for a worker",
    )
    api_keys: tuple[str, ...] = _setting(
        (),
        _keys,
        "keys that may add and delete records, separated by commas, each as plain text or as"
        " sha256:HEX; if empty, nobody may",
    )
    read_keys: tuple[str, ...] = _setting(
        (),
        _keys,
        "keys that may get predictions and records, in the same form; if empty, everybody may",
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        _comma_separated,
        "origins whose pages may read responses (CORS), separated by commas; * allows every origin",
    )
    log_format: str = _setting(
        "text", _choice("text", "json"), "format of the log, one line per request: text or json"
    )
    log_file: str = _setting("", str, "file for the log, in addition to standard output")
    log_file_mib: float = _setting(
        10.0,
        _number(0.01, 1e5, "MiB"),
        "size in MiB at which the log file is rotated; five old files are kept",
    )
    log_query: str = _setting(
        "off",
        _choice("off", "on"),
        "on adds the query string of each request to the log; off leaves it out",
    )
    lease_seconds: float = _setting(
        30.0,
        _number(1, 3600, "seconds"),
        "seconds without a heartbeat before a worker's chunk is reassigned",
    )
    gate_scope: str = _setting(
        "auto",
        _choice("auto", "machine", "cgroup"),
        "whose CPU use counts: machine, cgroup (the worker's container), or auto, which is cgroup"
        " if the container's CPU is limited and machine otherwise",
    )
    gate_open_cores: float = _setting(
        0.3,
        _number(0, 1024, "cores"),
        "CPU cores used by other programs below which the gate opens",
    )
    gate_close_cores: float = _setting(
        0.5,
        _number(0, 1024, "cores"),
        "CPU cores used by other programs above which the gate closes",
    )
    gate_open_seconds: float = _setting(
        15.0,
        _number(0, 3600, "seconds"),
        "seconds the machine must be idle before the gate opens",
    )
    gate_closed_seconds: float = _setting(
        20.0, _number(0, 3600, "seconds"), "minimum seconds the gate stays closed"
    )
    gate_open_memory: float = _setting(
        0.25, _number(0, 1, "(a share)"), "share of free memory above which the gate opens"
    )
    gate_close_memory: float = _setting(
        0.15, _number(0, 1, "(a share)"), "share of free memory below which the gate closes"
    )
    gate_disk_mib: float = _setting(
        500.0, _number(0, 1e9, "MiB"), "MiB of free disk space below which the gate closes"
    )
    gate_web_requests: float = _setting(
        20.0,
        _number(0, 1e6, "requests/s"),
        "requests per second to the web processes above which the gate closes",
    )
    gate_web_seconds: float = _setting(
        0.5,
        _number(0, 3600, "seconds"),
        "p95 latency of the web processes in seconds above which the gate closes",
    )
    gate_pressure: float = _setting(
        0.3,
        _number(0, 1, "(a share)"),
        "share of time that tasks wait for memory or disk above which the gate does not open",
    )
    gate_gpu: float = _setting(
        0.3,
        _number(0, 1, "(a share)"),
        "share of a GPU used by other programs above which the gate closes",
    )
    gate_suspend_seconds: float = _setting(
        600.0,
        _number(0, 86400, "seconds"),
        "seconds a worker keeps its chunk while the gate is suspended, before it gives it back",
    )
    code_paths: tuple[str, ...] = _setting(
        ("datasets",),
        _comma_separated,
        "packages from which specs may import enrichers and teachers, separated by commas",
    )


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
            shown = "***" if name.endswith("_KEYS") else _without_password(text)
            raise SettingError(
                f"{name}={shown!r}: {error}; unset it to use {setting.default!r}"
            ) from None
    settings = Settings(**values)
    _check_gate(settings)
    if "DYNO" in environ and settings.database_url.startswith("sqlite"):
        raise SettingError(
            "DATABASE_URL: dynos do not share a disk, so each would have its own SQLite store;"
            " add PostgreSQL: heroku addons:create heroku-postgresql"
        )
    return settings


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
