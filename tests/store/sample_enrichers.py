"""Enrichers for tests: quick, and one reads another."""

from __future__ import annotations

from collections.abc import Sequence

from enrich.enrichers.base import Row


class Length:
    """How long the sentence is."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [len(row["sentence"]) for row in rows]


class Double:
    """Twice the length."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [2 * row["length"] for row in rows]


class Shout:
    """The sentence in capitals."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[str]:
        return [row["sentence"].upper() for row in rows]


class Broken:
    """Cannot be started."""

    version = "1"

    def __init__(self) -> None:
        raise OSError("the model file is missing")

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [0 for _ in rows]


class Picky:
    """Fails on one sentence."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        if any("poison" in row["sentence"] for row in rows):
            raise ValueError("I do not take poison")
        return [1 for _ in rows]


class Area:
    """Twice the area."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[float]:
        return [2 * row["area"] for row in rows]
