"""Tests of a student's bytes: what is read back, and what is refused before it is looked at."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import ArtifactError
from db.scoring import student_data
from db.scoring.student_data import decode_student, encode_student
from tests.unit.db.scoring.random_students import (
    KINDS,
    numbers_of_labels,
    random_kinds,
    random_student,
)

from .plain_students import (
    SEED,
    every_kind,
    store,
)


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds)
def test_a_student_is_decoded_as_it_was_encoded(seed: int, labels: int, kinds: set[str]) -> None:
    """Its SHA-256 is that of its bytes, which are always the same."""
    data = random_student(seed, labels, kinds)
    packed, sha256 = encode_student(data)
    assert hashlib.sha256(packed).hexdigest() == sha256
    assert decode_student(packed, sha256) == data
    assert encode_student(data) == (packed, sha256)


@pytest.mark.parametrize("at", [0, 10, -1])
def test_damaged_bytes_are_refused(at: int) -> None:
    """One changed bit is enough."""
    data, sha256 = store(every_kind())
    damaged = bytearray(data)
    damaged[at] ^= 1
    with pytest.raises(ArtifactError, match="do not match their SHA-256"):
        decode_student(bytes(damaged), sha256)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no student",
        zlib.compress(b"no student"),
        zlib.compress(b"\x80"),
        zlib.compress(b""),
        store({})[0],
        store(every_kind())[0][:-20],
        store(every_kind())[0][:100],
    ],
)
def test_bytes_that_are_not_a_student_are_refused(data: bytes) -> None:
    """Or a student that is cut off; the SHA-256 is right, only the bytes are not."""
    with pytest.raises(ArtifactError, match="cannot be read"):
        decode_student(data, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    "unpacked",
    [
        # A member that is no text, a text that is none in UTF-8, and lists in lists without end.
        b"\x81\xc3\x01",
        b"\x81\xa6labels\x91\xa2\xd0\xff",
        b"\x81\xa3new" + b"\x91" * 100_000 + b"\x01",
        # A list that says that it has four thousand million members.
        b"\x81\xa4bias\xdd\xff\xff\xff\xff\x01",
    ],
)
def test_unpacked_bytes_that_are_no_message_are_refused(unpacked: bytes) -> None:
    """The reader's own errors are not passed on."""
    data = zlib.compress(unpacked)
    with pytest.raises(ArtifactError, match="cannot be read"):
        decode_student(data, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("start", "most"),
    [
        # One byte of each list would take eight to fifty-six bytes of memory.
        (b"\x81\xa4bias", 10_000),
        (b"\x81\xa5means\x81\xa3age", 10_000),
        (b"\x81\xa6labels", 1_000_000),
        (b"\x81\xa5trees\x81\xa7columns", 10_000),
        (b"\x81\xa5pairs\x81\xa7columns", 10_000),
        (b"\x81\xa8interval\x81\xa5edges", 1000),
    ],
)
def test_a_list_with_more_members_than_any_student_has_is_refused_at_its_start(
    start: bytes, most: int
) -> None:
    """Before one member is read: here, none follows."""
    for length, reason in ((most, "truncated"), (most + 1, f"length <= {most}")):
        data = zlib.compress(start + b"\xdd" + length.to_bytes(4, "big"))
        with pytest.raises(ArtifactError, match=reason):
            decode_student(data, hashlib.sha256(data).hexdigest())


def test_a_student_that_unpacks_to_too_many_bytes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A few bytes may stand for many gigabytes; no more than allowed are unpacked."""
    data = encode_student(random_student(SEED, 3, KINDS))
    size = len(zlib.decompress(data[0]))
    monkeypatch.setattr(student_data, "MOST_BYTES", size)
    assert decode_student(*data).labels
    monkeypatch.setattr(student_data, "MOST_BYTES", size - 1)
    with pytest.raises(ArtifactError, match=f"larger than {size - 1:,} bytes"):
        decode_student(*data)


@pytest.mark.parametrize("number", [0, 3, 99])
def test_a_student_of_another_format_is_refused(number: int) -> None:
    """Its weights may have another meaning; the message says which formats can be read."""
    with pytest.raises(ArtifactError, match=f"has format {number}, but .* formats up to 2; train"):
        decode_student(*store({**every_kind(), "format": number}))


def test_members_that_newer_code_has_added_are_ignored() -> None:
    """A rolled-back program reads the students of the newer one."""
    tree = every_kind()
    newer = {**tree, "colour": "blue", "trees": {**tree["trees"], "age": 3}}
    assert decode_student(*store(newer)) == decode_student(*store(tree))
