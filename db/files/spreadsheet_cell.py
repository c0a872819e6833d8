"""Cells of CSV for spreadsheets, which run a text as a formula if it begins like one."""

from __future__ import annotations

from db.spec.number_format import PLAIN_NUMBER

# Also as wide characters, which spreadsheets for East Asian scripts read alike.
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def is_formula(value: object) -> bool:
    """Return whether a spreadsheet may run a value as a formula; a number is none."""
    if not isinstance(value, str) or not value.startswith(_BEGINNINGS):
        return False
    return not PLAIN_NUMBER.fullmatch(value)


class SpreadsheetCells:
    """Writes cells as they are, or for spreadsheets with an apostrophe before each formula.

    `formulas` counts the cells that begin like one.
    """

    def __init__(self, *, for_spreadsheet: bool) -> None:
        self._for_spreadsheet = for_spreadsheet
        self.formulas = 0

    def write(self, value: object) -> object:
        """Return a value as its cell."""
        if not is_formula(value):
            return value
        self.formulas += 1
        return f"'{value}" if self._for_spreadsheet else value
