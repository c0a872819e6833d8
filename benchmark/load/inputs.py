"""The inputs of requests: rows of a dataset, or new inputs made from their values."""

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

# A text field with no more distinct values than this is a choice, not free text.
MAX_CHOICES = 20
HEALTH = "/health"


def read_rows(file: Path) -> list[Inputs]:
    """Return the inputs of a file that `python -m db export` wrote; raises ScenarioError."""
    rows = [json.loads(line)["inputs"] for line in file.read_text("utf-8").splitlines()]
    if not rows:
        raise ScenarioError(f"{file}: no rows; export a dataset that has some")
    return rows


@dataclass(frozen=True)
class Column:
    """The distinct values of a field in some rows."""

    values: tuple[str | int | float | bool, ...]

    @cached_property
    def is_text(self) -> bool:
        """Whether it is free text: strings with too many distinct values to be a choice."""
        is_string = all(isinstance(value, str) for value in self.values)
        return is_string and len(self.values) > MAX_CHOICES

    @cached_property
    def numbers(self) -> list[int | float]:
        """The values that are numbers."""
        return [value for value in self.values if isinstance(value, int | float)]

    @cached_property
    def is_whole(self) -> bool:
        """Whether all numbers are whole: the field may accept no others."""
        return all(isinstance(number, int) for number in self.numbers)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest number."""
        return min(self.numbers), max(self.numbers)

    def random_value(self, mark: str) -> str | int | float | bool:
        """Return a number within the bounds, one of the choices, or a text with a mark."""
        chosen = random.choice(self.values)  # noqa: S311  no secret
        if self.is_text:
            return f"{chosen} {mark}"
        if isinstance(chosen, bool | str):
            return chosen
        if self.is_whole:
            return random.randint(*map(int, self.bounds))  # noqa: S311
        return random.uniform(*self.bounds)  # noqa: S311


def columns_of(rows: Sequence[Inputs]) -> dict[str, Column]:
    """Return the fields of rows with their distinct values."""
    names = dict.fromkeys(itertools.chain.from_iterable(rows))
    return {
        name: Column(tuple(dict.fromkeys(row[name] for row in rows if name in row)))
        for name in names
    }


def make_unseen(row: Inputs, columns: dict[str, Column], mark: str) -> Inputs:
    """Return a new input like a row: with marked texts, or with random values if it has no text."""
    texts = {name: f"{value} {mark}" for name, value in row.items() if columns[name].is_text}
    if texts:
        return row | texts
    return {name: columns[name].random_value(mark) for name in row}


def request_paths(dataset: str, asks: Asks, rows: Sequence[Inputs], mark: str) -> Iterator[str]:
    """Yield the paths of requests in random order and without end; the mark makes texts unique."""
    if asks == "health":
        return itertools.repeat(HEALTH)
    known = [predict_path(dataset, row) for row in rows]
    columns = columns_of(rows)
    numbers = itertools.count(1)

    def known_path() -> str:
        return random.choice(known)  # noqa: S311

    def unseen_path() -> str:
        row = random.choice(rows)  # noqa: S311
        return predict_path(dataset, make_unseen(row, columns, f"{mark}{next(numbers)}"))

    def random_path() -> str:
        unique = f"{mark}{next(numbers)}"
        values = {name: column.random_value(unique) for name, column in columns.items()}
        return predict_path(dataset, values)

    makers: dict[str, tuple[Callable[[], str], ...]] = {
        "known": (known_path,),
        "unseen": (unseen_path,),
        "mixed": (known_path, unseen_path),
        "random": (random_path,),
    }
    return (make_path() for make_path in itertools.cycle(makers[asks]))


def predict_path(dataset: str, inputs: Inputs) -> str:
    """Return the path of a request for a prediction."""
    return f"/predict/{dataset}?{urlencode(inputs)}"
