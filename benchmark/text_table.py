"""Parts of a verdict, as terminals and reports show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Word = Literal["PASS", "FAIL", "INVALID"]


class ReportPart(msgspec.Struct, frozen=True):
    """A verdict beside a run's own, and what it rests on."""

    word: Word
    title: str
    text: str
    # For whoever asks why.
    detail: str = ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned lines; the first is their heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
