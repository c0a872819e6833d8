"""Read rows from JSON files: an array of objects, or lines with an object each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from db.files.source_file import MAX_ROW_CHARACTERS, SourceRow, TextLines

from .json_window import JsonWindow, missing_constant

# The names of nested members repeat the names around them, so they can be far longer than the
# file's text.
_MAX_NAME_CHARACTERS = 4 * MAX_ROW_CHARACTERS

_NESTED = frozenset((dict, list))
_decode_line = msgspec.json.Decoder(dict[str, Any]).decode


def read_json_lines(file: IO[str]) -> Iterator[SourceRow]:
    """Yield the row of each line; raises ValueError for a line that is not JSON."""
    lines = TextLines(file)
    for text in lines:
        line = lines.number
        lines.start_row()
        if text.strip():
            yield line_row(line, text)


def line_row(line: int, text: str) -> SourceRow:
    """Return the row of a line of JSON; raises ValueError if it is not JSON."""
    try:
        return flat_row(line, _decode_line(text))
    except msgspec.ValidationError as error:
        is_not_object = str(error).startswith("Expected `object`")
        return SourceRow(line, {}, "is not a JSON object" if is_not_object else str(error))
    except msgspec.DecodeError as error:
        item = _with_constants(text)
        if item is None:
            raise ValueError(f"line {line}: is not JSON: {error}") from None
        return flat_row(line, item)


def _with_constants(text: str) -> dict[str, Any] | None:
    """Return the object in a line with NaN or Infinity as a missing value; None if it is none."""
    if "NaN" not in text and "Infinity" not in text:
        return None
    try:
        item = json.loads(text, parse_constant=missing_constant)
    except ValueError:
        return None
    return item if isinstance(item, dict) else None


def read_json_array(file: IO[str]) -> Iterator[SourceRow]:
    """Yield the row of each item of an array; raises ValueError for what is not JSON."""
    for line, value in array_items(JsonWindow(file)):
        yield item_row(line, value)


def item_row(line: int, value: object) -> SourceRow:
    """Return the row of a value in an array; it has a fault if the value is no object."""
    if isinstance(value, dict):
        return flat_row(line, value)
    return SourceRow(line, {}, "is not a JSON object")


def flat_row(line: int, item: dict[str, Any]) -> SourceRow:
    """Return an object's row: a member of an object in it has a name with a dot, like user.age.

    A null value is left out. Two members with one name are the row's fault. A list stays as it is:
    it is a bad value only if a field reads it.
    """
    if _NESTED.isdisjoint(map(type, item.values())):
        return SourceRow(line, {name: value for name, value in item.items() if value is not None})
    values: dict[str, object] = {}
    characters = 0
    for name, value in _leaves(item):
        characters += len(name)
        if name in values:
            return SourceRow(line, {}, f"{name}: occurs twice; rename one of the two members")
        if characters > _MAX_NAME_CHARACTERS:
            return SourceRow(line, {}, "its names are too long, because it is nested too deeply")
        if value is not None and not isinstance(value, dict):
            values[name] = value
    return SourceRow(line, values)


def _leaves(item: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield each member in the file's order, first an object and then the members in it."""
    # Not recursive: the nesting may be as deep as the decoder allows.
    stack = [("", iter(item.items()))]
    while stack:
        prefix, members = stack[-1]
        for name, value in members:
            yield prefix + name, value
            if isinstance(value, dict):
                stack.append((f"{prefix}{name}.", iter(value.items())))
                break
        else:
            stack.pop()


def array_items(window: JsonWindow) -> Iterator[tuple[int, object]]:
    """Yield the line and value of each item, with only a part of the file in memory."""
    yield from window.array()
    if window.peek():
        raise ValueError(f"line {window.line}: there is more text after the end of the array")
