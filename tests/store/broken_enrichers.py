"""Enrichers that are broken in ways of their own."""

from __future__ import annotations

from collections.abc import Sequence

from enrich.enrichers.base import Row


class Raises:
    """Fail for every record, as code does that has a mistake."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        raise KeyError(rows[0]["sentence"])


class Configured:
    """Fail while its configuration is read, with an error that is not ours."""

    version = "1"
    text_only = True

    @property
    def __signature__(self) -> object:
        raise RuntimeError("no signature")

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [0 for _ in rows]
