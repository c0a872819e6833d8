"""A table of cells with a target, divided into training rows and held-out rows."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["regression", "classification"]

HELD_OUT_SHARE = 0.2
# Cells that mean "missing" in the files of R and others.
MISSING = frozenset({"", "NA"})


@dataclass(frozen=True)
class Table:
    """Rows of cells as they stand in a CSV file, under the names of their columns."""

    name: str
    kind: Kind
    target: str
    columns: list[str]
    rows: list[list[str]]

    @property
    def inputs(self) -> list[str]:
        """The columns except the target."""
        return [name for name in self.columns if name != self.target]

    def cells(self, column: str) -> list[str]:
        """Return the cells of a column."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows]

    def split(self, seed: int) -> tuple[Table, Table]:
        """Return the training rows and the held-out rows: a seeded permutation decides."""
        rows = random.Random(seed).sample(self.rows, len(self.rows))  # noqa: S311  no secret
        count = round(len(rows) * HELD_OUT_SHARE)
        return replace(self, rows=rows[count:]), replace(self, rows=rows[:count])

    def write(self, path: Path) -> None:
        """Write the table as a CSV file."""
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([self.columns, *self.rows])


def is_number(cell: str) -> bool:
    """Return whether a cell is a number or missing."""
    try:
        float(cell)
    except ValueError:
        return cell in MISSING
    return True
