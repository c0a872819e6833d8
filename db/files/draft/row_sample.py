"""A random sample of a file's rows in bounded memory, the same in each run."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from db.files.column_type import kept_text, text_of

MAX_ROWS = 5_000
MAX_CELLS = 500_000
MIN_ROWS = 100


class RowSample:
    """Each row of the file has the same chance to be among `rows`, as texts by column."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.seen = 0
        self._limit = MAX_ROWS
        self._random = Random(1)  # noqa: S311  a sample is no secret

    @property
    def is_partial(self) -> bool:
        """Whether the file has more rows than the sample."""
        return self.seen > len(self.rows)

    def add(self, values: Mapping[str, object]) -> None:
        """Offer the next row."""
        self.seen += 1
        if not self.rows:
            self._limit = max(MIN_ROWS, min(MAX_ROWS, MAX_CELLS // max(len(values), 1)))
        if len(self.rows) < self._limit:
            self.rows.append(_texts(values))
            return
        place = self._random.randrange(self.seen)
        if place < self._limit:
            self.rows[place] = _texts(values)


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {name: kept_text(text) for name, value in values.items() if (text := text_of(value))}
