"""The ledger of one import: which rows it has mentioned, in flat memory however many they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from db.records.encoded_inputs import KEYS_PER_STATEMENT, batches

from .temporary_database import open_temporary

# A row without a label has the label "" here.
Content = tuple[bytes, str]


class RowLedger:
    """Counts the rows of an import by key and label, in a temporary database."""

    def __init__(self) -> None:
        self._counts = open_temporary(
            "mentioned (key BLOB, label TEXT, rows INTEGER, PRIMARY KEY (key, label))",
            "known (key BLOB PRIMARY KEY)",
        )

    def close(self) -> None:
        """Remove the ledger."""
        self._counts.close()

    def number(self, contents: Sequence[Content], again: Collection[bytes]) -> list[int]:
        """Count rows, and return for each how many equal rows came before it.

        `again` are those of the keys that this import has mentioned already.
        """
        before = self._rows_of(again)
        numbers: list[int] = []
        counts: dict[Content, int] = {}
        for content in contents:
            equal = counts.get(content, 0)
            numbers.append(equal + before.get(content, 0))
            counts[content] = equal + 1
        self._counts.executemany(
            "INSERT INTO mentioned VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
            ((key, label, rows) for (key, label), rows in sorted(counts.items())),
        )
        rows_of_key = Counter(key for key, _ in contents)
        self.mark_known(key for key, rows in rows_of_key.items() if rows > 1)
        return numbers

    def _rows_of(self, keys: Collection[bytes]) -> dict[Content, int]:
        return {
            (key, label): rows
            for part in batches(keys, KEYS_PER_STATEMENT)
            for key, labels in self.labels_of(part).items()
            for label, rows in labels.items()
        }

    def mention(self, contents: Iterable[Content]) -> None:
        """Note rows that have a row id, so that they replace rows without one."""
        self._counts.executemany(
            "INSERT OR IGNORE INTO mentioned VALUES (?, ?, 0)", sorted(set(contents))
        )

    def mark_known(self, keys: Iterable[bytes]) -> None:
        """Note keys whose records have more than one row, or had rows before this import."""
        rows = ((key,) for key in sorted(keys))
        self._counts.executemany("INSERT OR IGNORE INTO known VALUES (?)", rows)

    def mentioned(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those of the keys that this import has mentioned already."""
        found: set[bytes] = set()
        for part in batches(keys, KEYS_PER_STATEMENT):
            places = ", ".join("?" * len(part))
            query = f"SELECT DISTINCT key FROM mentioned WHERE key IN ({places})"  # noqa: S608
            found.update(key for (key,) in self._counts.execute(query, part))
        return found

    def keys_to_settle(self) -> Iterator[bytes]:
        """Yield in order the keys whose record has more to it than one row of this import."""
        return (key for (key,) in self._counts.execute("SELECT key FROM known ORDER BY key"))

    def labels_of(self, keys: Sequence[bytes]) -> dict[bytes, dict[str, int]]:
        """Return how many rows of this import had each label, by key."""
        found: dict[bytes, dict[str, int]] = {key: {} for key in keys}
        places = ", ".join("?" * len(keys))
        query = f"SELECT key, label, rows FROM mentioned WHERE key IN ({places})"  # noqa: S608
        for key, label, rows in self._counts.execute(query, keys):
            found[key][label] = rows
        return found
