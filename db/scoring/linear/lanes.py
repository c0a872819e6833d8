"""Lanes: several signed numbers in one integer, so that adding integers adds all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

# Weights fit in 32 bits, and a lane can hold the sum of 2**16.
LANE_BITS = 48
WEIGHT_BITS = 31
_LANE_BYTES, _WEIGHT_BYTES = LANE_BITS // 8, 4
# Turns the highest byte of a number into that of the number plus 2**31, which has no sign.
_WITHOUT_SIGN = bytes(byte ^ 0x80 for byte in range(256))


class _Layout(NamedTuple):
    """What lanes of one width need: `middles` has the highest bit of each lane."""

    middles: int
    mask: int
    halves: Callable[[bytes], tuple[int, ...]]


@lru_cache(64)
def _layout(width: int) -> _Layout:
    middles = sum(1 << (LANE_BITS * (lane + 1) - 1) for lane in range(width))
    return _Layout(middles, (1 << LANE_BITS * width) - 1, Struct("<" + "Ih" * width).unpack)


def pack_lanes(weights: bytes, width: int) -> list[int]:
    """Return an integer of `width` lanes for each row of `width` numbers, four bytes each."""
    packed = bytearray(len(weights) // _WEIGHT_BYTES * _LANE_BYTES)
    for at in range(_WEIGHT_BYTES):
        packed[at::_LANE_BYTES] = weights[at::_WEIGHT_BYTES]
    highest = _WEIGHT_BYTES - 1
    packed[highest::_LANE_BYTES] = weights[highest::_WEIGHT_BYTES].translate(_WITHOUT_SIGN)
    size = width * _LANE_BYTES
    added = sum(1 << (LANE_BITS * lane + WEIGHT_BITS) for lane in range(width))
    return [
        int.from_bytes(packed[start : start + size], "little") - added
        for start in range(0, len(packed), size)
    ]


def unpack_lanes(total: int, width: int) -> list[int]:
    """Return the number in each lane."""
    middles, mask, halves_of = _layout(width)
    # With the middles added no lane borrows from the next; without them each has its sign again.
    shifted = (total + middles) & mask
    if width == 1:
        return [shifted - middles]
    lanes = shifted ^ middles
    halves = halves_of(lanes.to_bytes(width * _LANE_BYTES, "little"))
    return [low + (high << 32) for low, high in zip(halves[::2], halves[1::2], strict=True)]
