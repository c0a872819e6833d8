"""Lanes: several signed numbers in one integer, so that adding integers adds all of them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from functools import lru_cache

# Weights fit in 32 bits, and a lane can hold the sum of 2**16.
LANE_BITS = 48
WEIGHT_BITS = 31


def pack_lanes(weights: bytes, width: int) -> list[int]:
    """Return an integer of `width` lanes for each row of `width` numbers, four bytes each."""
    numbers = array("i", weights)
    if sys.byteorder == "big":
        numbers.byteswap()
    return [
        sum(numbers[start + lane] << (LANE_BITS * lane) for lane in range(width))
        for start in range(0, len(numbers), width)
    ]


def unpack_lanes(total: int, width: int) -> Iterator[int]:
    """Yield the number in each lane."""
    middle, mask = 1 << (LANE_BITS - 1), (1 << LANE_BITS) - 1
    total += _offset(width)
    for lane in range(width):
        yield ((total >> (LANE_BITS * lane)) & mask) - middle


@lru_cache(64)
def _offset(width: int) -> int:
    """Return what makes every lane positive, so that none borrows from the next."""
    return sum(1 << (LANE_BITS * (lane + 1) - 1) for lane in range(width))
