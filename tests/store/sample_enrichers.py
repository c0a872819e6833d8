"""Fast enrichers for tests; `Double` reads the value of another enricher."""

from __future__ import annotations

from collections.abc import Sequence

from enrich.enrichers.base import Row


class Length:
    """Count the characters of the sentence."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [len(row["sentence"]) for row in rows]


class Double:
    """Double the value of the enricher `length`."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [2 * row["length"] for row in rows]


class Shout:
    """Convert the sentence to upper case."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[str]:
        return [row["sentence"].upper() for row in rows]


class Broken:
    """Raise an error at the start."""

    version = "1"

    def __init__(self) -> None:
        raise OSError("the model file is missing")

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [0 for _ in rows]


class Picky:
    """Fail on a sentence that contains the word poison."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        if any("poison" in row["sentence"] for row in rows):
            raise ValueError("I do not take poison")
        return [1 for _ in rows]


class Area:
    """Double the field `area`."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[float]:
        return [2 * row["area"] for row in rows]
