"""The key that identifies a record, and the fold that follows from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from .field import Value

KEY_BYTES = 16
FOLDS = 5

_encode = msgspec.json.Encoder().encode


def key_of(values: Sequence[Value]) -> bytes:
    """Return the first 16 bytes of SHA-256 over the JSON array of values in spec order."""
    return hashlib.sha256(_encode(values)).digest()[:KEY_BYTES]


def fold_of(key: bytes) -> int:
    """Return the fold in which a record is held out: its key modulo the number of folds."""
    return int.from_bytes(key, "big") % FOLDS
