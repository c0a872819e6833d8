"""The line with which a command fails: "veilleuse: …" on standard error."""

from __future__ import annotations

import sys
from typing import IO

from .colour import paint


def print_error(message: str) -> None:
    """Print an error as one line on standard error."""
    line = " ".join(message.split())
    name = paint("veilleuse:", "red", sys.stderr)
    print(f"{clear_line(sys.stderr)}{name} {line}", file=sys.stderr)  # noqa: T201


def clear_line(stream: IO[str]) -> str:
    """Return what removes a progress bar from the line of a terminal, "" elsewhere."""
    return "\r\033[K" if stream.isatty() else ""


def usage_error(message: str, command: str) -> str:
    """Return the message of a command that was called wrongly, with where its help is."""
    text = message.strip().rstrip(".")
    if text[1:2].islower():
        text = text[:1].lower() + text[1:]
    hint = " See" if text.endswith("?") else "; see"
    return f"{text}{hint} {command} --help"
