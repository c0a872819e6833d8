"""Rows to be imported, where they go, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from db.spec.field import Inputs

Origin = Literal["import", "api"]


class NewRow(msgspec.Struct, frozen=True):
    """A row of the user's data, with the key of its inputs."""

    key: bytes
    inputs: Inputs
    label: str | None = None
    row_id: str | None = None


@dataclass(frozen=True)
class RowCounts:
    """What became of rows: `repeated` ones have the row id of an earlier row of the same import.

    `removed` rows of earlier imports are no longer in the data; `records` were new.
    """

    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    repeated: int = 0
    removed: int = 0
    records: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        return RowCounts(
            self.added + other.added,
            self.corrected + other.corrected,
            self.unchanged + other.unchanged,
            self.repeated + other.repeated,
            self.removed + other.removed,
            self.records + other.records,
        )


@dataclass(frozen=True)
class RowTarget:
    """Where rows are written: a dataset, and the submission if they are added beside others.

    `regression` says how the labels of a record are summed up. `last_id` is the id of the newest
    observation when the import began.
    """

    dataset_id: int
    regression: bool
    origin: Origin
    last_id: int
    submission_id: int = 0
