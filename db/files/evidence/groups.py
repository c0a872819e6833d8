"""The cells of a column in groups of equal shape, with counts, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from .cell import Cell, DateShape, NumberShape

MAX_GROUPS = 400
MAX_WORD_CHARACTERS = 100


@dataclass
class Group:
    """Cells of one shape: how many, and the first of them with its line in the file."""

    shape: NumberShape | DateShape | None
    example: str
    line: int
    count: int = 0
    is_one_value: bool = True


@dataclass
class Groups:
    """The groups of a column's cells; `left_out` counts the cells beyond MAX_GROUPS groups."""

    by_key: dict[Hashable, Group] = field(default_factory=dict)
    left_out: int = 0
    first_left_out: str = ""
    line_left_out: int = 0

    def add(self, text: str, raw: str, cell: Cell, line: int) -> None:
        """Add a cell; `text` is its normal form, `raw` is how the file has it."""
        shape = cell.number or cell.date
        key = shape or raw[:MAX_WORD_CHARACTERS]
        group = self.by_key.get(key)
        if group is None:
            if len(self.by_key) >= MAX_GROUPS:
                self._leave_out(text, line)
                return
            example = text if shape else raw[:MAX_WORD_CHARACTERS]
            group = self.by_key[key] = Group(shape, example, line)
        group.count += 1
        group.is_one_value = group.is_one_value and text == group.example

    def _leave_out(self, text: str, line: int) -> None:
        if not self.left_out:
            self.first_left_out, self.line_left_out = text[:MAX_WORD_CHARACTERS], line
        self.left_out += 1

    def numbers(self) -> Iterator[tuple[NumberShape, Group]]:
        """Yield the groups of cells that are shaped like numbers."""
        for group in self.by_key.values():
            if isinstance(group.shape, NumberShape):
                yield group.shape, group

    def dates(self) -> Iterator[tuple[DateShape, Group]]:
        """Yield the groups of cells that are dates."""
        for group in self.by_key.values():
            if isinstance(group.shape, DateShape):
                yield group.shape, group

    def others(self, accepts: Callable[[Group], bool]) -> list[Group]:
        """Return the groups that a type does not accept, the cells that were left out among them.

        They are in the order of the file.
        """
        found = [group for group in self.by_key.values() if not accepts(group)]
        if self.left_out:
            found.append(self._left_out())
        return sorted(found, key=lambda group: group.line)

    def _left_out(self) -> Group:
        return Group(
            None, self.first_left_out, self.line_left_out, self.left_out, is_one_value=False
        )
