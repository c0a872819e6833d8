"""Columns of data files for the tests of their types."""

from __future__ import annotations

from db.files.column_type import ColumnProfile
from db.files.evidence.column_decision import ColumnType, decide_type
from db.files.evidence.number_marks import FileMarks
from db.files.evidence.row_id import pick_row_id


def profile_of(name: str, cells: list[object]) -> ColumnProfile:
    """Return the profile of a column; an empty text is a gap."""
    profile = ColumnProfile(name, rows=len(cells))
    for line, cell in enumerate(cells, 2):
        profile.add(None if cell == "" else cell, line)
    return profile


def type_of(name: str, cells: list[object], file: FileMarks | None = None) -> ColumnType:
    """Return the type of a column, which may be an id."""
    column = decide_type(profile_of(name, cells), file or FileMarks(","))
    pick_row_id([column])
    return column
