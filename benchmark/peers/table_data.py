"""A table whose columns interact: what a linear model gets wrong, and trees get right.

Usage: python -m benchmark.peers.table_data FILE

Writes the training rows as CSV. The same seed always gives the same rows.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from pathlib import Path
from typing import NamedTuple

TRAINING_ROWS, HELD_OUT_ROWS = 10_000, 4_000
TRAINING_SEED, HELD_OUT_SEED = 1, 2
# The standard deviation of what no model can predict.
NOISE = 0.5
C_CHOICES, E_CHOICES = ("x", "y", "z"), ("p", "q", "r")


class Row(NamedTuple):
    """Five inputs and the number that is to be predicted from them."""

    a: float
    b: float
    c: str
    d: float
    e: str
    y: float

    @property
    def inputs(self) -> dict[str, str | float]:
        """The inputs by name."""
        return {name: value for name, value in self._asdict().items() if name != "y"}

    @property
    def codes(self) -> list[float]:
        """The inputs as numbers: a choice is its position."""
        return [self.a, self.b, C_CHOICES.index(self.c), self.d, E_CHOICES.index(self.e)]


# The columns of `codes` that hold choices.
CHOICE_COLUMNS = [2, 4]


def make_rows(count: int, seed: int) -> list[Row]:
    """Return random rows."""
    source = random.Random(seed)  # noqa: S311  no secret
    return [_make_row(source) for _ in range(count)]


def training_rows() -> list[Row]:
    """Return the rows that all models are fitted on."""
    return make_rows(TRAINING_ROWS, TRAINING_SEED)


def held_out_rows() -> list[Row]:
    """Return rows that no model is fitted on."""
    return make_rows(HELD_OUT_ROWS, HELD_OUT_SEED)


def _make_row(source: random.Random) -> Row:
    a, b = (round(source.uniform(-5, 5), 3) for _ in range(2))
    c = source.choice(C_CHOICES)
    d = round(source.uniform(0, 100), 3)
    e = source.choice(E_CHOICES)
    y = a * b + 3 * math.sin(b) + (2 * a if c == "x" else b) + 5 * (d > 50 and e == "p")  # noqa: PLR2004
    return Row(a, b, c, d, e, round(y + source.gauss(0, NOISE), 4))


def main() -> None:
    """Write the training rows."""
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(training_rows())


if __name__ == "__main__":
    main()
