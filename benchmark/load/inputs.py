"""Inputs to ask for: rows of a dataset as they are, or others like them."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

from .scenario import Asks, ScenarioError

Inputs = dict[str, str | int | float | bool]

# A text of which there are no more is chosen, not written.
MOST_CHOICES = 20
HEALTH = "/health"


def read_rows(file: Path) -> list[Inputs]:
    """Return the inputs that `python -m db export` wrote; raises ScenarioError."""
    rows = [json.loads(line)["inputs"] for line in file.read_text("utf-8").splitlines()]
    if not rows:
        raise ScenarioError(f"{file} has no rows to ask for")
    return rows


@dataclass(frozen=True)
class Column:
    """A field's values, as far as they were seen."""

    values: tuple[str | int | float | bool, ...]

    @cached_property
    def is_text(self) -> bool:
        """Whether people write it: too many different ones to choose from."""
        return all(isinstance(one, str) for one in self.values) and len(self.values) > MOST_CHOICES

    @cached_property
    def numbers(self) -> list[int | float]:
        """The values that are numbers."""
        return [one for one in self.values if isinstance(one, int | float)]

    @cached_property
    def is_whole(self) -> bool:
        """Whether the numbers have no decimals: such a field may take no others."""
        return all(isinstance(one, int) for one in self.numbers)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The smallest number and the largest."""
        return min(self.numbers), max(self.numbers)

    def any_value(self, mark: str) -> str | int | float | bool:
        """Return a value by chance: between the smallest and the largest, or one that was seen."""
        chosen = random.choice(self.values)  # noqa: S311  no secret
        if self.is_text:
            return f"{chosen} {mark}"
        if isinstance(chosen, bool | str):
            return chosen
        if self.is_whole:
            return random.randint(*map(int, self.ends))  # noqa: S311
        return random.uniform(*self.ends)  # noqa: S311


def columns_of(rows: Sequence[Inputs]) -> dict[str, Column]:
    """Return the fields of rows, each with the different values that it has."""
    names = dict.fromkeys(itertools.chain.from_iterable(rows))
    return {
        name: Column(tuple(dict.fromkeys(row[name] for row in rows if name in row)))
        for name in names
    }


def vary(row: Inputs, columns: dict[str, Column], mark: str) -> Inputs:
    """Return a row as nobody has asked for it: its texts marked, or its numbers others."""
    texts = {name: f"{value} {mark}" for name, value in row.items() if columns[name].is_text}
    if texts:
        return row | texts
    return {name: columns[name].any_value(mark) for name in row}


def paths(dataset: str, asks: Asks, rows: Sequence[Inputs], mark: str) -> Iterator[str]:
    """Yield what to ask for, by chance and without end; marks make sure that none repeats."""
    if asks == "health":
        return itertools.repeat(HEALTH)
    known = [path_of(dataset, row) for row in rows]
    columns = columns_of(rows)
    numbers = itertools.count(1)

    def one_known() -> str:
        return random.choice(known)  # noqa: S311

    def one_unseen() -> str:
        row = random.choice(rows)  # noqa: S311
        return path_of(dataset, vary(row, columns, f"{mark}{next(numbers)}"))

    def one_random() -> str:
        note = f"{mark}{next(numbers)}"
        return path_of(dataset, {name: one.any_value(note) for name, one in columns.items()})

    makers: dict[str, tuple[Callable[[], str], ...]] = {
        "known": (one_known,),
        "unseen": (one_unseen,),
        "mixed": (one_known, one_unseen),
        "random": (one_random,),
    }
    return (make() for make in itertools.cycle(makers[asks]))


def path_of(dataset: str, inputs: Inputs) -> str:
    """Return where a prediction for some inputs is asked for."""
    return f"/predict/{dataset}?{urlencode(inputs)}"
