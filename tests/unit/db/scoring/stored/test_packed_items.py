"""Tests of counting what a stored student holds before it takes memory."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import ArtifactError
from db.scoring import student_data
from db.scoring.packed_items import has_more_items
from db.scoring.student_data import decode_student, encode_student
from tests.hand_made_student import tones

numbers = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
values = st.recursive(
    numbers | st.text(max_size=300) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=20),
)


def count(value: Any) -> int:  # noqa: ANN401
    """Return how many items a value has: itself, and all in it."""
    if isinstance(value, dict):
        return 1 + sum(count(key) + count(one) for key, one in value.items())
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


@given(values)
def test_every_name_and_number_is_counted(value: Any) -> None:  # noqa: ANN401
    """Lists and maps count as one, and all that is in them for itself."""
    data, items = msgspec.msgpack.encode(value), count(value)
    assert not has_more_items(data, items)
    assert has_more_items(data, items - 1)


@given(st.binary(max_size=200), st.integers(0, 20))
def test_any_bytes_end(data: bytes, most: int) -> None:
    """A length may point behind the end."""
    assert has_more_items(data, most) in {True, False}


def test_a_student_with_more_items_than_any_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is written, and where it is read: a few packed bytes may fill the memory."""
    packed = encode_student(tones())
    monkeypatch.setattr(student_data, "MOST_ITEMS", 20)
    with pytest.raises(ArtifactError, match="cannot be read: it has more than 20 names and"):
        decode_student(*packed)
    with pytest.raises(ArtifactError, match="has more than 20 names and numbers"):
        encode_student(tones())


def test_a_million_lists_in_a_few_bytes_are_refused_before_they_are_made() -> None:
    """Each takes one byte in the file, and 56 in memory."""
    data = b"\x81\xa5parts" + b"\xdd\x00\xff\xff\xff" + b"\x90" * 2**24
    packed = zlib.compress(data, 9)
    with pytest.raises(ArtifactError, match="more than 1,000,000 names and numbers"):
        decode_student(packed, hashlib.sha256(packed).hexdigest())
