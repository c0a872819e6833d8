"""Keys: the same for what is the same record, another for any other."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, NumberField, TextField
from db.spec.key import FOLDS, KEY_BYTES, fold_of, key_of

SPEC = DatasetSpec(
    name="guests",
    kind="classification",
    target="room",
    fields={"wish": TextField(), "age": NumberField(), "alone": BooleanField(default=True)},
)


def key(wish: object, age: object, **more: object) -> bytes:
    """Return the key of a guest as it is given."""
    return SPEC.key(SPEC.read_inputs({"wish": wish, "age": age, **more}))


def test_a_key_is_the_first_half_of_a_sha256_over_a_json_array() -> None:
    """Anyone can compute it; keys are stored, so this must never change."""
    whole = hashlib.sha256('["Un café",30,true,0.5]'.encode()).digest()
    assert key_of(["Un café", 30, True, 0.5]) == whole[:16]
    assert KEY_BYTES == 16


@pytest.mark.parametrize("age", [30, 30.0, "30", "30.0", "3e1", " +30 "])
def test_a_number_has_one_key_however_it_is_written(age: object) -> None:
    """By value, not by spelling."""
    assert key("a view", age) == key("a view", 30)


@pytest.mark.parametrize("age", [-0.0, "-0", "-0.0"])
def test_minus_zero_has_the_key_of_zero(age: object) -> None:
    """They are equal."""
    assert key("a view", age) == key("a view", 0)


@pytest.mark.parametrize("wish", ["l'été", "l'e\u0301te\u0301", "  l'été\n", "\u3000l'été\xa0"])
def test_a_text_has_one_key_whatever_its_unicode_form_and_margins(wish: str) -> None:
    """Devices differ in how they write é."""
    assert key(wish, 1) == key("l'été", 1)


@pytest.mark.parametrize("wish", ["a big room", "a\tbig\r\nroom", " a  big   room "])
def test_runs_of_white_space_make_no_other_key(wish: str) -> None:
    """One space is enough."""
    assert key(wish, 1) == key("a big room", 1)


def test_a_default_has_the_key_of_the_value_that_it_stands_for() -> None:
    """Left out or given, it is the same record."""
    assert key("a view", 1) == key("a view", 1, alone="1")
    assert key("a view", 1) != key("a view", 1, alone="0")


def test_the_order_in_which_inputs_are_given_does_not_matter() -> None:
    """The spec's order does."""
    given = {"alone": "true", "age": "1", "wish": "a view"}
    assert SPEC.key(SPEC.read_inputs(given)) == key("a view", 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["A"], ["a"]),
        (["1"], [1]),
        ([1], [True]),
        (["été"], ["ete"]),
        (["a", "b"], ["b", "a"]),
    ],
)
def test_other_values_have_another_key(one: list[str], other: list[str]) -> None:
    """Joined texts, case, types, accents and order all count."""
    assert key_of(one) != key_of(other)


@given(st.floats(-1e100, 1e100))
def test_the_key_of_a_number_is_the_same_from_a_query_and_from_a_body(number: float) -> None:
    """A record written by the one is found by the other."""
    assert key("a view", repr(number)) == key("a view", number)


@given(st.integers(0, 2**128 - 1))
def test_a_fold_is_the_key_modulo_five(number: int) -> None:
    """Stored answers out of fold rest on it."""
    assert fold_of(number.to_bytes(KEY_BYTES, "big")) == number % 5
    assert FOLDS == 5
