"""The sample of records that training works on, if all of them need too much memory."""

from __future__ import annotations

from dataclasses import dataclass

# Memory that a record takes while models are fitted: a table of 1,000,000 x 10 took 2.1 GB, and
# 300 texts of 1,000 characters 183 KB each.
BYTES_OF_RECORD = 600
BYTES_OF_CELL = 150
BYTES_OF_CHARACTER = 150
# The rest is left to others.
SHARE_OF_FREE = 0.7


@dataclass(frozen=True)
class DatasetSize:
    """The number of labelled records, that of their columns, and the mean length of their texts."""

    records: int
    columns: int
    characters: float = 0.0

    @property
    def record_bytes(self) -> float:
        """Roughly how many bytes training takes for a record."""
        texts = self.characters * BYTES_OF_CHARACTER
        return BYTES_OF_RECORD + self.columns * BYTES_OF_CELL + texts


def sample_size(dataset: DatasetSize, free_bytes: int, wanted: int | None) -> int:
    """Return on how many records to train: as many as `wanted`, or as memory has room for."""
    room = int(SHARE_OF_FREE * free_bytes / dataset.record_bytes)
    return min(room if wanted is None else wanted, dataset.records)


def describe_sample(name: str, dataset: DatasetSize, size: int, free_bytes: int) -> str:
    """Return the sentence that says why training works on a sample."""
    needed, free = dataset.records * dataset.record_bytes / 2**30, free_bytes / 2**30
    return (
        f"{name}: training on all {dataset.records:,} records needs some {needed:,.1f} GiB, and"
        f" {free:,.1f} GiB are free: it works on a fair sample of {size:,};"
        f" choose another size with --sample"
    )
