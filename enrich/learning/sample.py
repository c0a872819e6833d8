"""The sample of records that training works on, if all of them need too much memory."""

from __future__ import annotations

from dataclasses import dataclass

from db.spec.record_key import KEY_BYTES

# Memory that a record takes while models are fitted: a table of 1,000,000 x 10 took 2.1 GB.
BYTES_OF_RECORD = 600
BYTES_OF_CELL = 150
# The rest is left to others.
SHARE_OF_FREE = 0.7


@dataclass(frozen=True)
class Sample:
    """A fair sample: the records whose keys are below `key_limit`, or all if that is None."""

    records: int
    key_limit: bytes | None = None

    @property
    def is_all(self) -> bool:
        """Whether no record is left out."""
        return self.key_limit is None


def needed_bytes(records: int, columns: int) -> int:
    """Return roughly how many bytes training takes."""
    return records * (BYTES_OF_RECORD + columns * BYTES_OF_CELL)


def choose_sample(records: int, columns: int, free_bytes: int, wanted: int | None) -> Sample:
    """Return the sample of `wanted` records, or of as many as memory has room for."""
    room = int(SHARE_OF_FREE * free_bytes) // needed_bytes(1, columns)
    size = room if wanted is None else wanted
    if size >= records:
        return Sample(records)
    # Keys are hashes, and so a range of them is a fair sample.
    limit = size * 2 ** (8 * KEY_BYTES) // records
    return Sample(size, limit.to_bytes(KEY_BYTES, "big"))


def describe_sample(name: str, records: int, columns: int, sample: Sample, free: int) -> str:
    """Return the sentence that says why training works on a sample."""
    needed, free_gib = needed_bytes(records, columns) / 2**30, free / 2**30
    return (
        f"{name}: training on all {records:,} records needs some {needed:,.1f} GiB, and"
        f" {free_gib:,.1f} GiB are free: it works on a fair sample of {sample.records:,};"
        f" choose another size with --sample"
    )
