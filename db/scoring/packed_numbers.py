"""Numbers as bytes, and which numbers a student may have."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

# No honest number is larger, and the sums and products of so large ones are still finite.
LARGEST = 1e100


@dataclass(frozen=True)
class Vector:
    """Float32 numbers as little-endian bytes."""

    data: bytes

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Vector:
        """Return a vector of these numbers."""
        return cls(_little_endian(array("f", numbers)).tobytes())

    def numbers(self) -> list[float]:
        """Return the numbers as a list of floats."""
        return _little_endian(array("f", self.data)).tolist()


def unpack_float64(packed: bytes) -> array[float]:
    """Return the numbers in little-endian bytes, eight for each."""
    return _little_endian(array("d", packed))


def _little_endian(numbers: array[float]) -> array[float]:
    """Turn numbers from this machine's order of bytes into little-endian order, or back."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def are_sound(numbers: Iterable[float]) -> bool:
    """Return True if all numbers are finite and none is larger than any honest one."""
    # NaN is not smaller than anything.
    return all(abs(number) <= LARGEST for number in numbers)
