"""A table in JSON whose rows keep their text when members are added to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import msgspec

from db.files.formats.json_object import member_items, own_values, rows_member
from db.files.formats.json_reader import ROW_MEMBER, array_items, item_row, line_row
from db.files.formats.json_window import JsonWindow, missing_constant
from db.files.prediction.row_answer import (
    CLASSIFICATION_COLUMNS,
    REGRESSION_COLUMNS,
    RowAnswer,
)
from db.files.source_file import SourceRow, TextLines

BLOCK_CHARACTERS = 1 << 17

_USUAL_NAMES = frozenset((*CLASSIFICATION_COLUMNS, *REGRESSION_COLUMNS))

JsonBlock: TypeAlias = list[tuple[int, str]]
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class JsonRow:
    """A row with its text; `source` is None for a blank line."""

    text: str
    source: SourceRow | None


@dataclass(frozen=True)
class JsonShape:
    """How rows are read and written; it can be sent to another process.

    `rows_name` is the name of the list of rows in an object, and `is_array` says that the file is
    an array; otherwise it has a row in each line.
    """

    is_array: bool
    rows_name: str | None

    def rows(self, block: JsonBlock) -> Iterator[JsonRow]:
        """Yield the rows of a block."""
        for line, text in block:
            yield JsonRow(text, self._source(line, text) if text.strip() else None)

    def _source(self, line: int, text: str) -> SourceRow:
        if not self.is_array and self.rows_name is None:
            return line_row(line, text)
        value = json.loads(text, parse_constant=missing_constant)
        return item_row(line, own_values(value) if self.rows_name else value, text)

    def write(
        self, rows: Sequence[JsonRow], answers: Sequence[RowAnswer | None], added: Sequence[str]
    ) -> str:
        """Return a line for each row: its own members as they are, then those of its answer."""
        return "".join(
            [
                row.text if answer is None else _with_members(row.text, _members(added, answer))
                for row, answer in zip(rows, answers, strict=True)
            ]
        )


def member_names(text: str) -> Iterator[str]:
    """Yield the names in the text of an object that added members may have, too."""
    # Every row is read for this, so that most are only searched.
    if any(name in text for name in _USUAL_NAMES):
        value = json.loads(text)
        yield from value if isinstance(value, dict) else ()


def _members(added: Sequence[str], answer: RowAnswer) -> str:
    return _encode(dict(zip(added, answer.cells(), strict=True))).decode()[1:]


def _with_members(text: str, members: str) -> str:
    """Return the line of an object with members added at its end; `members` ends with a brace."""
    # A line end outside of texts is white space, and JSON has none in texts.
    own = text.strip().replace("\r", " ").replace("\n", " ")
    end = "\r\n" if text.endswith("\r\n") else "\n"
    if not own.startswith("{"):
        own = f'{{"{ROW_MEMBER}":{own}}}'
    before = own[:-1].rstrip()
    comma = "" if before == "{" else "," if own[-2:-1] != " " else ", "
    return f"{before}{comma}{members}{end}"


class JsonFile:
    """A JSON file that is open: lines, an array, or an object with a list of rows."""

    def __init__(self, file: IO[str], first_character: str) -> None:
        self._file = file
        is_array = first_character == "["
        self.shape = JsonShape(is_array, None if is_array else rows_member(file))

    def blocks(self) -> Iterator[JsonBlock]:
        """Yield the lines and texts of rows, some at a time; raises ValueError for other files."""
        block: JsonBlock = []
        characters = 0
        self._file.seek(0)
        for line, text in self._texts():
            block.append((line, text))
            characters += len(text)
            if characters >= BLOCK_CHARACTERS:
                yield block
                block, characters = [], 0
        if block:
            yield block

    def _texts(self) -> Iterator[tuple[int, str]]:
        if not self.shape.is_array and self.shape.rows_name is None:
            lines = TextLines(self._file)
            for text in lines:
                lines.start_row()
                yield lines.number, text
            return
        window = JsonWindow(self._file)
        items: Iterator[tuple[int, Any]] = (
            array_items(window)
            if self.shape.rows_name is None
            else member_items(window, self.shape.rows_name)
        )
        for line, _ in items:
            yield line, f"{window.raw}\n"
