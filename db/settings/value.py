"""The declaration of a setting, and parsers of its text, which raise ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from ipaddress import ip_network
from typing import TypeVar

T = TypeVar("T")

# Shorter ones are guessed, however slowly.
LEAST_KEY_CHARACTERS = 8


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
        if len(key) < LEAST_KEY_CHARACTERS:
            raise ValueError(
                f"a key must have at least {LEAST_KEY_CHARACTERS} characters; make one: python -c"
                ' "import secrets; print(secrets.token_urlsafe(24))"'
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
                f"{one!r} is neither an address nor a network such as 10.0.0.0/8, nor unix"
            ) from None
    return found


def setting(default: T, parse: Callable[[str], T], meaning: str) -> T:
    """Declare a setting as a field of a dataclass; its meaning is shown in the README."""
    declared: T = field(default=default, metadata={"parse": parse, "meaning": meaning})
    return declared
