"""Name the columns of a CSV file by its header, so that each name is there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from db.files.source_file import quote
from db.spec.normalization import normal_text

# Further columns are counted in a note and not named.
_SHOWN = 5


@dataclass(frozen=True)
class ColumnNames:
    """The names by position; the columns in `unnamed` have none in the header.

    `required` is the number of cells up to the last column with a name.
    """

    names: tuple[str, ...]
    unnamed: frozenset[int]
    required: int
    notes: tuple[str, ...]


def name_columns(line: int, cells: list[str]) -> ColumnNames:
    """Return the names in a header; raises ValueError for a name with a control character.

    A name that occurs again gets a number, and a column without a name is named by its position.
    """
    given = [_normal_name(line, at, cell) for at, cell in enumerate(cells, 1)]
    unused = _UnusedNames(given)
    names: list[str] = []
    renamed: dict[str, list[str]] = {}
    for at, name in enumerate(given, 1):
        new = unused.take(name or f"column_{at}", is_given=bool(name))
        names.append(new)
        if name and new != name:
            renamed.setdefault(name, []).append(new)
    unnamed = frozenset(at for at, name in enumerate(given) if not name)
    required = max((at for at, name in enumerate(given, 1) if name), default=0)
    notes = (*_renaming_notes(renamed), *_unnamed_notes(names, unnamed))
    return ColumnNames(tuple(names), unnamed, required, notes)


def _normal_name(line: int, column: int, cell: str) -> str:
    try:
        return normal_text(cell)
    except ValueError as error:
        raise ValueError(f"line {line}: the name of column {column} {error}") from None


class _UnusedNames:
    """Gives each name once. The names in the header stay with their first columns."""

    def __init__(self, given: list[str]) -> None:
        self._given = set(given)
        self._taken: set[str] = set()
        # Counted on by name, so that many equal names take linear time.
        self._numbers: Counter[str] = Counter()

    def take(self, name: str, *, is_given: bool) -> str:
        """Return the name, or with a number if another column has it."""
        new = name
        while new in self._taken or (new in self._given and not (is_given and new == name)):
            self._numbers[name] += 1
            new = f"{name}_{self._numbers[name] + 1}"
        self._taken.add(new)
        return new


def _renaming_notes(renamed: dict[str, list[str]]) -> Iterator[str]:
    for name, news in list(renamed.items())[:_SHOWN]:
        shown = ", ".join(map(quote, news[:_SHOWN]))
        if len(news) == 1:
            yield f"two columns are named {quote(name)}; the second is read as {shown}"
        else:
            more = f" and {len(news) - _SHOWN:,} more" if len(news) > _SHOWN else ""
            columns = f"{len(news) + 1:,} columns are named {quote(name)}"
            yield f"{columns}; the later ones are read as {shown}{more}"
    if len(renamed) > _SHOWN:
        yield f"{len(renamed) - _SHOWN:,} other names occur again, and are numbered like these"


def _unnamed_notes(names: list[str], unnamed: frozenset[int]) -> Iterator[str]:
    if len(unnamed) == 1:
        (at,) = unnamed
        yield f"column {at + 1} has no name; where it has a value, it is read as {names[at]}"
    elif unnamed:
        first = sorted(unnamed)[:_SHOWN]
        more = f" and {len(unnamed) - _SHOWN:,} more" if len(unnamed) > _SHOWN else ""
        shown = ", ".join(names[at] for at in first)
        columns = ", ".join(str(at + 1) for at in first)
        yield (
            f"columns {columns}{more} have no names;"
            f" where they have values, they are read as {shown}{more}"
        )
