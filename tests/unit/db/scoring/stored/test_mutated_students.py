"""Tests that a student that is not refused answers with finite numbers, whatever it holds."""

from __future__ import annotations

import hashlib
import random
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from db.errors import ArtifactError
from db.scoring.student_data import StudentData, decode_student, encode_student
from db.spec.field import Inputs
from tests.unit.db.scoring.random_students import (
    numbers_of_labels,
    packed_floats,
    random_inputs,
    random_kinds,
    random_student,
)

from .plain_students import (
    INFINITY,
    INPUTS,
    NAN,
    assert_finite_answers,
    every_kind,
    plain,
    store,
)


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, random_inputs)
def test_a_student_without_a_fault_answers_with_finite_numbers(
    seed: int, labels: int, kinds: set[str], inputs: Inputs
) -> None:
    """Every kind, and any inputs."""
    data = random_student(seed, labels, kinds)
    assert_finite_answers(decode_student(*encode_student(data)), inputs)


def test_the_largest_allowed_numbers_have_finite_answers() -> None:
    """Sums and products of them as well."""
    tree = every_kind(labels=0)
    limit = 1e100
    tree |= {"bias": [limit], "target_mean": limit, "target_scale": limit, "shift": -300}
    for part in tree["parts"].values():
        if part["type"] == "piecewise":
            part |= {"slopes": packed_floats([limit] * 4), "offsets": packed_floats([-limit] * 4)}
    tree["pairs"]["weights"] = packed_floats([limit] * 64)
    tree["trees"]["nodes"]["values"] = packed_floats(
        [limit] * (len(tree["trees"]["nodes"]["values"]) // 8)
    )
    data = decode_student(*store(tree))
    for inputs in INPUTS:
        assert_finite_answers(data, inputs)


# What a mutation puts in the place of a number.
NUMBERS = (NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, 0.0, -1.0, 3, -(2**63), 2**63 - 1, 400)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield the path to each value; the names of fields and the kinds of parts stay as they are."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        if key not in {"type", "name"}:
            yield (*path, key)
            if isinstance(value, dict | list):
                yield from _places(value, (*path, key))


def _mutate(chance: random.Random, tree: Any) -> None:  # noqa: ANN401
    """Change one value: a number, some bytes, the length of a list, or a name."""
    path = chance.choice([*_places(tree)])
    for key in path[:-1]:
        tree = tree[key]
    value = tree[path[-1]]
    if isinstance(value, list) and value and chance.random() < 0.7:
        value = chance.choice([value[1:], value[:-1], value * 2, value[::-1], []])
    elif isinstance(value, bytes):
        value = _changed_bytes(chance, value)
    elif isinstance(value, dict) and value:
        value = {key: one for key, one in value.items() if key != chance.choice([*value])}
    elif isinstance(value, str):
        value = chance.choice(["", value * 2, "\u0000", "sea"])
    else:
        value = chance.choice([*NUMBERS, None, [], {}, "x"])
    tree[path[-1]] = value


def _changed_bytes(chance: random.Random, value: bytes) -> bytes:
    at = chance.randrange(len(value) + 1) // 8 * 8
    new = chance.choice(
        [packed_floats([chance.choice(NUMBERS)]), chance.randbytes(8), chance.randbytes(3), b""]
    )
    return value[:at] + new + value[at + chance.choice([8, 8, 8, 0]) :]


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, st.integers(1, 3), random_inputs)
def test_a_mutated_student_is_refused_or_answers_with_finite_numbers(
    seed: int, labels: int, kinds: set[str], changes: int, inputs: Inputs
) -> None:
    """It never crashes when it answers, explains or warns."""
    tree = plain(random_student(seed, labels, kinds))
    chance = random.Random(seed)
    for _ in range(changes):
        _mutate(chance, tree)
    try:
        data = decode_student(*store(tree))
    except ArtifactError:
        return
    assert decode_student(*encode_student(data)) == data
    for one in (inputs, *INPUTS):
        assert_finite_answers(data, one)


@given(st.integers(0, 2**32), random_kinds, st.data())
def test_mutated_bytes_are_refused_or_answer(
    seed: int, kinds: set[str], drawn: st.DataObject
) -> None:
    """Bytes of the unpacked student are changed, removed or added anywhere but in names."""
    raw = msgspec.msgpack.encode(random_student(seed, 2, kinds))
    at = drawn.draw(st.integers(0, len(raw)))
    end = min(at + drawn.draw(st.integers(0, 4)), len(raw))
    packed = zlib.compress(raw[:at] + drawn.draw(st.binary(max_size=4)) + raw[end:])
    try:
        data = decode_student(packed, hashlib.sha256(packed).hexdigest())
    except ArtifactError:
        return
    if fields_of(data) <= fields_of(random_student(seed, 2, kinds)):
        for inputs in INPUTS:
            assert_finite_answers(data, inputs)


def fields_of(data: StudentData) -> set[tuple[str, str]]:
    """Return the fields that a student reads, each with the kind of its part."""
    found = {(name, type(part).__name__) for name, part in data.parts.items()}
    if data.pairs:
        found |= {(one.name, type(one).__name__) for one in data.pairs.inputs}
    if data.trees:
        found |= {(one.name, type(one).__name__) for one in data.trees.inputs}
        found |= {(name, "texts") for name in (data.trees.texts.parts if data.trees.texts else ())}
    return found
