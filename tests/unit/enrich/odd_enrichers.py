"""Enrichers that behave oddly: each does one thing that a user's code may do."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from enrich.enrichers.base import Row


class Odd:
    """Return or do the odd thing that its configuration names."""

    version = "1"

    def __init__(self, way: str) -> None:
        self._do = WAYS[way]

    def __call__(self, rows: Sequence[Row]) -> Any:  # noqa: ANN401
        return self._do(rows)


class Wordless(Exception):
    """An error whose words are an error."""

    def __str__(self) -> str:
        raise ZeroDivisionError


def _endless(_rows: Sequence[Row]) -> Iterator[int]:
    return itertools.count()


def _text(rows: Sequence[Row]) -> str:
    return "x" * len(rows)


def _table(rows: Sequence[Row]) -> dict[int, float]:
    return {number: 0.5 for number, _ in enumerate(rows)}


def _few(rows: Sequence[Row]) -> list[int]:
    return [1 for _ in rows[1:]]


def _generator(rows: Sequence[Row]) -> Iterator[int]:
    yield from (len(row["sentence"]) for row in rows)


def _wordless(_rows: Sequence[Row]) -> list[int]:
    raise Wordless


def _surrogate(_rows: Sequence[Row]) -> list[int]:
    raise ValueError("cannot read \ud800\x1b[31m" + "and so on " * 1000)


def _prints(rows: Sequence[Row]) -> list[int]:
    sys.stdout.write("loading the model\n")
    sys.stdout.flush()
    return [1 for _ in rows]


def _forks(rows: Sequence[Row]) -> list[int]:
    """Fork and come back in both processes, the new one with other values."""
    if os.fork():
        return [1 for _ in rows]
    return [2 for _ in rows]


def _hangs(_rows: Sequence[Row]) -> list[int]:
    if any(row["sentence"] == "hang" for row in _rows):
        time.sleep(600)
    return [1 for _ in _rows]


WAYS: dict[str, Callable[[Sequence[Row]], Any]] = {
    "endless": _endless,
    "text": _text,
    "table": _table,
    "few": _few,
    "generator": _generator,
    "wordless": _wordless,
    "surrogate": _surrogate,
    "prints": _prints,
    "forks": _forks,
    "hangs": _hangs,
}
