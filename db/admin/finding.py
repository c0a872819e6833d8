"""The result of one check of `python -m db doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["good", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """The result of one check; `remedy` is empty if there is nothing to do."""

    level: Level
    subject: str
    message: str
    remedy: str = ""
