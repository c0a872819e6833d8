"""The row ids that a source has, in flat memory however many they are."""

from __future__ import annotations

from collections.abc import Collection

from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices

from .temporary_database import open_temporary


class PresentIds:
    """Row ids in a temporary database.

    `unread` counts rows whose ids cannot be read: each may be any row.
    """

    def __init__(self) -> None:
        self.unread = 0
        self._ids = open_temporary("present (id TEXT PRIMARY KEY)")

    def close(self) -> None:
        """Remove the ids."""
        self._ids.close()

    def add(self, ids: Collection[str]) -> None:
        """Note that the source has rows with these ids."""
        # The order of the table makes its pages be written once.
        values = ((row_id,) for row_id in sorted(ids))
        self._ids.executemany("INSERT OR IGNORE INTO present VALUES (?)", values)

    def is_empty(self) -> bool:
        """Return whether the source has no row with an id."""
        return self._ids.execute("SELECT 1 FROM present LIMIT 1").fetchone() is None

    def absent(self, ids: Collection[str]) -> set[str]:
        """Return those of the ids that the source does not have."""
        absent = set(ids)
        for part in slices(sorted(ids), KEYS_PER_STATEMENT):
            places = ", ".join("?" * len(part))
            query = f"SELECT id FROM present WHERE id IN ({places})"  # noqa: S608
            absent.difference_update(row_id for (row_id,) in self._ids.execute(query, part))
        return absent
