"""Text tables, and the partial verdicts that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

VerdictWord = Literal["PASS", "FAIL", "INVALID"]


class PartVerdict(msgspec.Struct, frozen=True):
    """A verdict on one aspect of a run, such as the image size, with the table that explains it."""

    word: VerdictWord
    title: str
    text: str
    # More tables, which the page shows but the terminal does not.
    detail: str = ""


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned lines; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
