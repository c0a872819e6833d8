"""Colours of text, only where the stream is a terminal that has them."""

from __future__ import annotations

import os
import re
from typing import IO, Literal, TypeAlias

Colour: TypeAlias = Literal["red", "green", "yellow", "blue", "bold", "faint"]

_CODES: dict[Colour, str] = {
    "red": "1;31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "bold": "1",
    "faint": "2",
}
_CODE = re.compile(r"\033\[[0-9;]*m")


def has_colours(stream: IO[str]) -> bool:
    """Return whether colours are wanted: on a terminal, unless NO_COLOR or TERM=dumb says no."""
    is_refused = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not is_refused


def paint(text: str, colour: Colour, stream: IO[str]) -> str:
    """Return a text in a colour if the stream has colours, and else as it is."""
    if not text or not has_colours(stream):
        return text
    return f"\033[{_CODES[colour]}m{text}\033[0m"


def without_colours(text: str) -> str:
    """Return a text without its colours."""
    return _CODE.sub("", text)
