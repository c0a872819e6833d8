"""The inputs of records as they are stored, and how many of them a statement names."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

# Older versions of SQLite accept at most 999 parameters in a statement.
KEYS_PER_STATEMENT = 500

encode_inputs = msgspec.json.Encoder().encode
decode_inputs = msgspec.json.Decoder(dict[str, str | bool | int | float | None]).decode


def slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Return the parts of a sequence, each of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of at most `size` items."""
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch
