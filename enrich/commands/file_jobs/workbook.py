"""A table in CSV as an Excel workbook."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

# A number that Excel shows with all its digits; 007 and phone numbers stay text.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
MOST_CELL_CHARACTERS = 32_767


def write_workbook(table: Path, target: Path) -> Path:
    """Write the rows of a CSV file to a workbook, row by row; return the workbook's path."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Predictions")

    def cell(text: str) -> Any:  # noqa: ANN401  a factory makes cells, not a class
        if _NUMBER.fullmatch(text):
            return WriteOnlyCell(sheet, float(text) if "." in text else int(text))
        words = ILLEGAL_CHARACTERS_RE.sub("", text)[:MOST_CELL_CHARACTERS]
        made = WriteOnlyCell(sheet, words or None)
        if words:
            # Otherwise a text that begins with = would be run as a formula.
            made.data_type = "s"
        return made

    with table.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            sheet.append([cell(text) for text in row])
    book.save(target)
    return target
