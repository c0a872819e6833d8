"""The result of one check of `python -m db doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from db.errors import VeilleuseError

Level: TypeAlias = Literal["good", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """The result of one check; `remedy` is empty if there is nothing to do."""

    level: Level
    subject: str
    message: str
    remedy: str = ""


def fault(subject: str, error: VeilleuseError) -> Finding:
    """Return the fault of an error, whose message ends with the remedy after a semicolon."""
    message, mark, remedy = str(error).rpartition("; ")
    return Finding("fault", subject, message if mark else remedy, remedy if mark else "")
