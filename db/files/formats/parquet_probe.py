"""Read a Parquet file to its end in a process of its own, whose memory is limited.

A small file can have gigabytes of text, and a damaged one can end the process that reads it. This
program prints how many rows can be read at once, or else why the file cannot be read.
"""

from __future__ import annotations

import contextlib
import resource
import sys

# With what Python and pyarrow themselves reserve.
LIMIT_BYTES = 3 << 30
MAX_FOOTER_BYTES = 32 << 20
MAX_COLUMNS = 10_000
MAX_ROW_GROUPS = 100_000
# Even a column of one value has about one byte for so many rows.
MAX_ROWS_PER_BYTE = 1000
_ROWS_OF_ANY_FILE = 10_000_000
# The values of a batch are in memory at once; very long ones only fit in a small one.
_BATCH_ROWS = (8192, 64)
_BATCH_CELLS = 500_000
_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_MEBIBYTE = 1 << 20
TOO_LARGE = "needs too much memory; write it with smaller pages, or save the table as CSV"


def probe(path: str) -> int:
    """Return how many rows can be read at once; raises ValueError, or what pyarrow raises."""
    size = _check_footer(path)
    import pyarrow.parquet as pq  # noqa: PLC0415  after the checks

    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
        metadata = file.metadata
        for count, limit, what in (
            (metadata.num_columns, MAX_COLUMNS, "columns"),
            (metadata.num_row_groups, MAX_ROW_GROUPS, "row groups"),
            (metadata.num_rows, _ROWS_OF_ANY_FILE + MAX_ROWS_PER_BYTE * size, "rows"),
        ):
            if not 0 <= count <= limit:
                raise ValueError(f"declares {count:,} {what}, more than {limit:,}")
        for rows in _BATCH_ROWS:
            batch_rows: int = max(1, min(rows, _BATCH_CELLS // max(metadata.num_columns, 1)))
            try:
                for _ in file.iter_batches(batch_rows, use_threads=False):
                    pass
            except MemoryError:
                continue
            return batch_rows
    raise ValueError(TOO_LARGE)


def _check_footer(path: str) -> int:
    """Return the file's size; raises ValueError if its end is missing or is too large."""
    with open(path, "rb") as file:  # noqa: PTH123  nothing else is imported before the checks
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL_BYTES, 0))
        tail = file.read(_TAIL_BYTES)
    if size <= _TAIL_BYTES or not tail.endswith(_MAGIC):
        raise ValueError("is cut off: its end is not the end of a Parquet file; copy it again")
    length = int.from_bytes(tail[:4], "little")
    if length > size - _TAIL_BYTES - len(_MAGIC):
        raise ValueError("is damaged: its footer is longer than the file")
    if length > MAX_FOOTER_BYTES:
        raise ValueError(
            f"has a footer of {length // _MEBIBYTE:,} MiB, more than"
            f" {MAX_FOOTER_BYTES // _MEBIBYTE}; write it with fewer columns or row groups"
        )
    return size


def _main(path: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # macOS does not limit it.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    try:
        print(probe(path))  # noqa: T201  a program's answer
    except MemoryError:
        print(TOO_LARGE)  # noqa: T201
    except Exception as error:  # noqa: BLE001  pyarrow raises errors of many kinds
        print(" ".join(str(error).split()) or type(error).__name__)  # noqa: T201


if __name__ == "__main__":
    _main(sys.argv[1])
