"""Read rows from a JSON file that is one object: mostly with a list of rows in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from db.files.source_file import SourceRow, quote

from .json_reader import item_row, read_json_lines
from .json_window import JsonWindow

_USUAL_NAMES = frozenset(("data", "records", "rows", "items", "results", "features"))
_ORIENT = 'export the rows from pandas with df.to_json(path, orient="records")'


@dataclass(frozen=True)
class _Member:
    """A member of an object: `rows` if it is a list of objects, and its value if it is no list.

    `length` is the number of values in a list, 0 for other values.
    """

    name: str
    rows: bool
    length: int
    value: object


def read_braced(file: IO[str]) -> Iterator[SourceRow]:
    """Yield the rows of JSON lines, or of the list in an object; raises ValueError."""
    name = rows_member(file)
    file.seek(0)
    yield from read_json_lines(file) if name is None else _rows_in(file, name)


def braced_notes(file: IO[str]) -> tuple[str, ...]:
    """Return a sentence about where the rows are, if they are in an object."""
    name = rows_member(file)
    return () if name is None else (f"the rows are the list {quote(name)} in one object",)


def rows_member(file: IO[str]) -> str | None:
    """Return the name of the one list of objects in a file that is an object.

    Return None for JSON lines, of which the file may have only one. Raises ValueError for an
    object with the columns of a table.
    """
    window = JsonWindow(file)
    try:
        members = list(_members(window))
        is_alone = not window.peek()
    except (ValueError, RecursionError):
        # The reader of lines says what is wrong and where.
        return None
    if not is_alone:
        return None
    _refuse_columns(members)
    lists = [member for member in members if member.rows]
    if len(lists) != 1:
        return None
    # One row may have a list with an object in it.
    is_wrapped = len(members) == 1 or lists[0].length > 1 or lists[0].name in _USUAL_NAMES
    return lists[0].name if is_wrapped else None


def _members(window: JsonWindow) -> Iterator[_Member]:
    """Yield the members of an object; those of a list are read one by one and not kept."""
    for name in _names(window):
        if window.peek() == "[":
            length = objects = 0
            for _, value in window.array():
                length += 1
                objects += isinstance(value, dict)
            yield _Member(name, rows=0 < length == objects, length=length, value=None)
        else:
            yield _Member(name, rows=False, length=0, value=window.value())


def _names(window: JsonWindow) -> Iterator[str]:
    """Yield the name of each member of an object; its value must be read before the next one."""
    window.expect("{")
    while window.peek() != "}":
        name = window.value()
        window.expect(":")
        yield str(name)
        if window.peek() != "}":
            window.expect(",")
    window.expect("}")


def _refuse_columns(members: list[_Member]) -> None:
    """Raise ValueError for an object of columns, or with the columns' names apart from the rows."""
    names = {member.name for member in members}
    is_split = {"columns", "data"} <= names and not any(member.rows for member in members)
    lengths = {member.length for member in members}
    are_lists = len(members) > 1 and len(lengths) == 1 and min(lengths) > 1
    are_lists = are_lists and not any(member.rows for member in members)
    if is_split or are_lists or _are_numbered(members):
        raise ValueError(f"is one object with the columns of a table; {_ORIENT}")


def _are_numbered(members: list[_Member]) -> bool:
    """Return whether all members are objects, whose members' names number the rows."""
    objects = [member.value for member in members if isinstance(member.value, dict)]
    if len(objects) < max(len(members), 2) or len(objects[0]) == 0:
        return False
    is_alike = all(each.keys() == objects[0].keys() for each in objects)
    inner = all(name.isdecimal() for name in objects[0])
    return is_alike and (inner or all(member.name.isdecimal() for member in members))


def _rows_in(file: IO[str], wanted: str) -> Iterator[SourceRow]:
    window = JsonWindow(file)
    for line, item in member_items(window, wanted):
        yield item_row(line, own_values(item), window.raw)


def member_items(window: JsonWindow, wanted: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line and value of each object in the list of this name in an object."""
    for name in _names(window):
        if window.peek() != "[":
            window.value()
            continue
        for line, item in window.array():
            if name == wanted and isinstance(item, dict):
                yield line, item


def own_values(item: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an object in a list: of a feature on a map, those of its properties."""
    return _properties(item) or item


def _properties(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the properties of a feature on a map; None for other objects."""
    found = item.get("properties") if item.get("type") == "Feature" else None
    return found if isinstance(found, dict) else None
