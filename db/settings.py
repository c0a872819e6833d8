"""Settings: declared once, read from the environment alone, checked at start."""

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


def _whole(low: int, high: int) -> Callable[[str], int]:
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _keys(text: str) -> tuple[str, ...]:
    keys = _names(text)
    for key in keys:
        if not key.isascii():
            raise ValueError("keys are of ASCII characters: others arrive changed")
        if key.startswith("sha256:") and not re.fullmatch(r"sha256:[0-9a-f]{64}", key):
            raise ValueError("after sha256: come the 64 hex digits of a key's hash")
    return keys


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return parse


def _database_url(text: str) -> str:
    """Name the driver that we install; Heroku says `postgres://`."""
    for prefix in ("postgres://", "postgresql://"):
        if text.startswith(prefix):
            text = "postgresql+psycopg://" + text.removeprefix(prefix)
    if not text.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must start with sqlite:/// or postgresql://")
    file, _, options = text.removeprefix("sqlite:///").partition("?")
    if file in {"", ":memory:"} or "mode=memory" in options:
        raise ValueError("must name a file, since several processes share it")
    try:
        make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("must be user:password@host:port/name after the //") from None
    return text


def _without_password(text: str) -> str:
    return re.sub(r"//.*@", "//***@", text)


def _setting(default: T, parse: Callable[[str], T], meaning: str) -> T:
    declared: T = field(default=default, metadata={"parse": parse, "meaning": meaning})
    return declared


@dataclass(frozen=True)
class Settings:
    """What the environment says; each attribute's upper-case name is its variable."""

    database_url: str = _setting(
        "sqlite:///veilleuse.db", _database_url, "the store: sqlite:///FILE or postgresql://…"
    )
    host: str = _setting("127.0.0.1", str, "address that the web process listens on")
    port: int = _setting(8000, _whole(1, 65535), "port that the web process listens on")
    web_concurrency: int = _setting(
        1, _whole(1, 64), "web processes on the one socket, each with its threads"
    )
    server: str = _setting(
        "waitress", _choice("waitress", "granian"), "waitress, or granian for thousands of users"
    )
    queue_seconds: float = _setting(
        5.0,
        _number(0.01, 3600, "seconds"),
        "a request that has waited longer for a thread gets 503 with Retry-After",
    )
    web_threads: int = _setting(4, _whole(1, 64), "threads that answer requests")
    student_ttl: float = _setting(
        30.0, _number(0, 86400, "seconds"), "seconds that a student's answer stays in memory"
    )
    cache_entries: int = _setting(
        10_000, _whole(0, 1_000_000), "answers that the web process keeps in memory"
    )
    cache_mib: float = _setting(
        2.0, _number(0, 1e5, "MiB"), "memory that these answers may take in all web processes"
    )
    max_age: int = _setting(
        0,
        _whole(0, 31_536_000),
        "seconds that a proxy or browser may keep a teacher's answer without asking",
    )
    queue_entries: int = _setting(
        10_000, _whole(1, 1_000_000), "unseen inputs that may wait to be written"
    )
    waiting_records: int = _setting(
        100_000, _whole(0, 100_000_000), "unseen inputs of a dataset that may wait for workers"
    )
    api_keys: tuple[str, ...] = _setting(
        (),
        _keys,
        "keys that may add and forget records, as they are or as sha256:HEX; none: nobody may",
    )
    read_keys: tuple[str, ...] = _setting(
        (), _keys, "keys that may have predictions and see records, likewise; none: everybody may"
    )
    cors_origins: tuple[str, ...] = _setting(
        (), _names, "origins whose pages may read answers, separated by commas; * for all"
    )
    log_format: str = _setting("text", _choice("text", "json"), "text or json, one line a request")
    log_file: str = _setting("", str, "a file for the log besides standard output")
    log_file_mib: float = _setting(
        10.0, _number(0.01, 1e5, "MiB"), "size at which that file begins anew; five are kept"
    )
    log_query: str = _setting(
        "off", _choice("off", "on"), "on: the log holds what was asked, not only where"
    )
    lease_seconds: float = _setting(
        30.0,
        _number(1, 3600, "seconds"),
        "seconds after which a silent worker's chunk is another's",
    )
    gate_scope: str = _setting(
        "auto",
        _choice("auto", "machine", "cgroup"),
        "whose CPU the gate watches: auto is the container's where its CPU is limited",
    )
    gate_open_cores: float = _setting(
        0.3, _number(0, 1024, "cores"), "the gate opens while others use fewer cores"
    )
    gate_close_cores: float = _setting(
        0.5, _number(0, 1024, "cores"), "the gate closes once others use more cores"
    )
    gate_open_seconds: float = _setting(
        15.0, _number(0, 3600, "seconds"), "the machine must be idle for so long before it opens"
    )
    gate_closed_seconds: float = _setting(
        20.0, _number(0, 3600, "seconds"), "once closed the gate stays so for at least so long"
    )
    gate_open_memory: float = _setting(
        0.25, _number(0, 1, "(a share)"), "share of the memory that must be free to open"
    )
    gate_close_memory: float = _setting(
        0.15, _number(0, 1, "(a share)"), "below this free share the gate closes"
    )
    gate_disk_mib: float = _setting(
        500.0, _number(0, 1e9, "MiB"), "below so much free disk the gate closes"
    )
    gate_web_requests: float = _setting(
        20.0, _number(0, 1e6, "requests/s"), "above so many web requests a second it closes"
    )
    gate_web_seconds: float = _setting(
        0.5, _number(0, 3600, "seconds"), "above this p95 of the web processes it closes"
    )
    gate_pressure: float = _setting(
        0.3,
        _number(0, 1, "(a share)"),
        "share of time spent waiting for memory or disk above which it does not open",
    )
    gate_gpu: float = _setting(
        0.3, _number(0, 1, "(a share)"), "share of a GPU used by others that closes it"
    )
    gate_suspend_seconds: float = _setting(
        600.0, _number(0, 86400, "seconds"), "after so long a stopped worker gives its chunk back"
    )
    code_paths: tuple[str, ...] = _setting(
        ("datasets",), _names, "packages that dotted paths in a spec may name"
    )


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read every setting, or raise SettingError naming the first that is unusable.

    An empty variable counts as unset.
    """
    found = {}
    for setting in fields(Settings):
        name = setting.name.upper()
        text = environ.get(name, "").strip()
        if not text:
            continue
        try:
            found[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            shown = "***" if name.endswith("_KEYS") else _without_password(text)
            raise SettingError(
                f"{name}={shown!r}: {error}; unset it for {setting.default!r}"
            ) from None
    settings = Settings(**found)
    _check_gate(settings)
    if "DYNO" in environ and settings.database_url.startswith("sqlite"):
        raise SettingError(
            "DATABASE_URL: dynos share no disk, so SQLite would be another store for each;"
            " add PostgreSQL: heroku addons:create heroku-postgresql"
        )
    return settings


def _check_gate(settings: Settings) -> None:
    """A gate that closes where it opens would never rest."""
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
