"""The declaration of a setting, and parsers of its text, which raise ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from ipaddress import ip_network
from typing import TypeVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

T = TypeVar("T")


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers between two limits."""

    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,12}", text) else low - 1
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return parse


def number(low: float, high: float, unit: str) -> Callable[[str], float]:
    """Return a parser of numbers between two limits; `unit` is for its message."""

    def parse(text: str) -> float:
        number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text) else low - 1
        if not low <= number <= high:
            raise ValueError(f"must be from {low:g} to {high:g} {unit}")
        return number

    return parse


def comma_separated(text: str) -> tuple[str, ...]:
    """Return the parts of a text between commas, without those that are empty."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def key_list(text: str) -> tuple[str, ...]:
    """Return API keys, each as plain text or as sha256: and the digits of its hash."""
    keys = comma_separated(text)
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


def choice(*allowed: str) -> Callable[[str], str]:
    """Return a parser that accepts these words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return parse


def schema_name(text: str) -> str:
    """Return the name of a PostgreSQL schema."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", text) or text.startswith("pg_"):
        raise ValueError(
            "must be up to 63 lower-case letters, digits and underscores, and not begin with a"
            " digit or pg_"
        )
    return text


def path_prefix(text: str) -> str:
    """Return a path without a slash at its end; "" for the root."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", text) or re.search(r"/\.{1,2}(/|$)", text):
        raise ValueError("must be a path such as /ml, of letters, digits and . _ ~ -")
    return text.rstrip("/")


def networks(text: str) -> tuple[str, ...]:
    """Return addresses and networks of IPv4 and IPv6, or `unix`."""
    found = comma_separated(text)
    for one in found:
        if one == "unix":
            continue
        try:
            ip_network(one, strict=False)
        except ValueError:
            raise ValueError(
                f"{one} is neither an address nor a network such as 10.0.0.0/8, nor unix"
            ) from None
    return found


def store_address(text: str) -> str:
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


def without_password(text: str) -> str:
    """Return a text with the user and password of an address hidden."""
    return re.sub(r"//.*@", "//***@", text)


def setting(default: T, parse: Callable[[str], T], meaning: str) -> T:
    """Declare a setting as a field of a dataclass; its meaning is shown in the README."""
    declared: T = field(default=default, metadata={"parse": parse, "meaning": meaning})
    return declared
