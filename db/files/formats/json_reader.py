"""Read rows from JSON files: an array of objects, or lines with an object each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from db.files.source_file import MAX_ROW_CHARACTERS, SourceRow, TextLines

from .json_window import JsonWindow, missing_constant

# The names of nested members repeat the names around them, so they can be far longer than the
# file's text.
_MAX_NAME_CHARACTERS = 4 * MAX_ROW_CHARACTERS

# The name of what is not an object, in the object that its row becomes.
ROW_MEMBER = "row"
# Half of a character outside of Unicode's first 65,536, or a whole one.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
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
        if str(error).startswith("Expected `object`"):
            return item_row(line, msgspec.json.decode(text), text)
        return SourceRow(line, {}, str(error))
    except msgspec.DecodeError as error:
        item = _as_python_reads(text)
        if item is None:
            raise ValueError(f"line {line}: is not JSON: {error}") from None
        return item_row(line, item, text)


def _as_python_reads(text: str) -> dict[str, Any] | None:
    """Return the object in a line with NaN, Infinity or half a character; None if it is none."""
    if "NaN" not in text and "Infinity" not in text and not _SURROGATE.search(text):
        return None
    try:
        item = json.loads(text, parse_constant=missing_constant)
    except ValueError:
        return None
    return item if isinstance(item, dict) else None


def read_json_array(file: IO[str]) -> Iterator[SourceRow]:
    """Yield the row of each item of an array; raises ValueError for what is not JSON."""
    window = JsonWindow(file)
    for line, value in array_items(window):
        yield item_row(line, value, window.raw)


def item_row(line: int, value: object, text: str) -> SourceRow:
    """Return the row of a value with this text; it has a fault if the value is no object.

    A text with half a character, which no file can have, is a fault too.
    """
    if not isinstance(value, dict):
        row = SourceRow(line, {ROW_MEMBER: value}, "is not a JSON object")
    else:
        row = flat_row(line, value)
    return _without_surrogates(row) if _SURROGATE.search(text) else row


def _without_surrogates(row: SourceRow) -> SourceRow:
    """Return the row; with a fault and question marks if a text has half a character."""
    plain = json.dumps(row.values, ensure_ascii=False)
    written = plain.encode("utf-8", "replace").decode()
    if written == plain:
        return row
    at = next(at for at, character in enumerate(plain) if written[at] != character)
    fault = f"has a text with half a character, \\u{ord(plain[at]):x}; write it again as UTF-8"
    return SourceRow(row.line, json.loads(written), row.fault or fault)


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
            return _unflat(line, item, f"{name}: occurs twice; rename one of the two members")
        if characters > _MAX_NAME_CHARACTERS:
            return _unflat(line, item, "its names are too long, because it is nested too deeply")
        if value is not None and not isinstance(value, dict):
            values[name] = value
    return SourceRow(line, values)


def _unflat(line: int, item: dict[str, Any], fault: str) -> SourceRow:
    """Return a row with a fault, with the objects in it as they are."""
    return SourceRow(
        line, {name: value for name, value in item.items() if value is not None}, fault
    )


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
