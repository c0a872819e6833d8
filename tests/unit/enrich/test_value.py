"""What enrichers return, as it enters the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.errors import EnricherError
from db.scoring.packed_numbers import Vector
from enrich.enrichers.value import to_value
from enrich.learning.column import make_table, usual_value


@pytest.mark.parametrize(
    ("made", "stored"),
    [
        ("a\0b\x1b[31m\x9b\x7f", "a\ufffdb\ufffd[31m\ufffd\ufffd"),
        ("two\nlines\tand\r\nmore é 👩‍🚀", "two\nlines\tand\r\nmore é 👩‍🚀"),
        ({"a\0": ["\x07"]}, {"a\ufffd": ["\ufffd"]}),
        (float("nan"), None),
        ({"a": float("inf")}, {"a": None}),
        (2**64 - 1, 2**64 - 1),
        (1e300, 1e300),
        ((1, 2), [1, 2]),
        (Vector.of([1]), Vector.of([1])),
    ],
)
def test_a_value_is_kept_without_what_no_store_and_no_terminal_holds(
    made: object, stored: object
) -> None:
    """Line ends, tabs and joiners are text; JSON has neither NaN nor infinity."""
    assert to_value(made) == stored


def deep(levels: int) -> object:
    """Return a list in a list, that many times."""
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (int("9" * 400), "an integer of more than 308 digits"),
        ([-int("9" * 400)], "an integer of more than 308 digits"),
        ("\ud800", "cannot be stored"),
        (object(), "cannot be stored"),
        (deep(150), "nested more than 100 levels deep"),
        (deep(100_000), "cannot be stored"),
        (np.array([1.0, np.nan]), "a number that is not finite"),
        (np.array([1e300]), "a number that is not finite"),
    ],
)
def test_a_value_that_cannot_be_stored_is_a_fault_of_its_record(made: object, reason: str) -> None:
    """The other records keep their values."""
    with pytest.raises(EnricherError, match=reason):
        to_value(made)


@pytest.mark.parametrize(
    ("values", "usual"),
    [
        ([1, "a", 2.5], 1),
        (["a", 1, "b"], "a"),
        ([None, None], None),
        ([[1], {"a": 1}, 5], [1]),
        ([True, 1, 2], 1),
    ],
)
def test_the_kind_of_a_column_is_that_of_most_of_its_values(
    values: list[object], usual: object
) -> None:
    """One odd value does not decide it, also where it comes first."""
    assert usual_value("x", [{"x": value} for value in values]) == usual


def test_a_value_of_another_kind_is_missing_in_a_table() -> None:
    """A service can answer anything, also after training."""
    odd = ["a", [1], {"b": 1}, None, 1e300, int("9" * 400), float("inf")]
    rows: list[dict[str, Any]] = [{"n": value, "v": value, "c": value} for value in odd]
    rows += [{"n": "2.5", "v": Vector.of([1, 2]), "c": 5}, {"n": 3, "v": Vector.of([1]), "c": "d"}]
    rows += [{"n": 4, "v": Vector.of([3, 4]), "c": True}]
    table = make_table({"n": "number", "v": "vector", "c": "choice"}, rows)
    assert np.isnan(table["n"][: len(odd)]).all()
    assert table["n"][len(odd) :].tolist() == [2.5, 3, 4]
    assert table["v"].tolist() == [[0, 0]] * len(odd) + [[1, 2], [0, 0], [3, 4]]
    assert table["c"][-3:].tolist() == ["5", "d", "True"]
