"""A parser that is fuzzed, and what it may do with bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from db.errors import VeilleuseError

# An error with more characters would fill a terminal; paths and names are part of it.
MOST_MESSAGE = 2000


@dataclass(frozen=True)
class FuzzTarget:
    """A parser: `read` passes bytes to it, and raises VeilleuseError where they are refused.

    `seeds` are bytes that it accepts; their mutations are tried.
    """

    name: str
    read: Callable[[bytes], object]
    seeds: Sequence[bytes] = field(repr=False)


class NotOneLine(AssertionError):
    """A parser refused bytes with a message that is not one printable line."""


def try_bytes(target: FuzzTarget, data: bytes) -> bool:
    """Return whether a parser accepts bytes; raises what it must not raise."""
    try:
        target.read(data)
    except VeilleuseError as error:
        message = str(error)
        if "\n" in message or "\x1b" in message or not 0 < len(message) <= MOST_MESSAGE:
            raise NotOneLine(repr(message)) from error
        return False
    return True
