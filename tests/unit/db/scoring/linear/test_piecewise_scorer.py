"""Tests of functions of a number that are linear between edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.linear.piecewise_scorer import PiecewiseScorer
from db.scoring.student_data import PiecewisePart
from tests.unit.db.scoring.random_students import packed_floats
from tests.unit.db.scoring.student_reference import part_scores


def tent(missing: list[float]) -> PiecewisePart:
    """Return a function of two classes: it rises up to 10, falls up to 20, and is 0 from there."""
    return PiecewisePart(
        mean=10.0,
        scale=5.0,
        low=0.0,
        high=30.0,
        edges=[10.0, 20.0],
        offsets=packed_floats([2, 0, 2, 0, 0, 0]),
        slopes=packed_floats([1, 1, -1, 0, 0, 0]),
        missing=missing,
    )


@pytest.mark.parametrize(
    ("number", "scores"),
    [
        (0, [0.0, -2.0]),
        (5, [1.0, -1.0]),
        (10, [2.0, 0.0]),
        (15, [1.0, 0.0]),
        (19.5, [pytest.approx(0.1), 0.0]),
        (20, [0.0, 0.0]),
        (1e300, [0.0, 0.0]),
        (-1e300, [2 - 1e6, -1e6]),
        (True, [2 - 1.8, -1.8]),
        (None, [0.5, 7.0]),
    ],
)
def test_a_number_is_on_the_line_of_its_piece(number: float | None, scores: list[float]) -> None:
    """Each class has its own lines; an edge belongs to the upper piece."""
    assert PiecewiseScorer(tent([0.5, 7.0]), 2).scores(number) == pytest.approx(scores)


def test_a_missing_number_adds_nothing_if_training_had_none() -> None:
    """There is no row for it."""
    assert PiecewiseScorer(tent([]), 2).scores(None) == [0.0, 0.0]


finite = st.floats(allow_nan=False, allow_infinity=False)
weights = st.floats(-1e6, 1e6)


@given(
    st.data(),
    st.lists(st.floats(-1e9, 1e9), max_size=6, unique=True),
    finite | st.integers(-(10**12), 10**12),
    st.integers(1, 4),
)
def test_any_number_scores_as_the_reference(
    data: st.DataObject, edges: list[float], number: float, width: int
) -> None:
    """With any edges, and numbers on them; the result is always finite."""
    count = (len(edges) + 1) * width
    rows = st.lists(weights, min_size=count, max_size=count)
    part = PiecewisePart(
        mean=data.draw(finite),
        scale=data.draw(st.floats(1e-300, 1e300)),
        low=0.0,
        high=0.0,
        edges=sorted(edges),
        offsets=packed_floats(data.draw(rows)),
        slopes=packed_floats(data.draw(rows)),
    )
    scorer = PiecewiseScorer(part, width)
    for one in (number, *edges):
        expected = part_scores(part, width, 0, one)
        assert scorer.scores(one) == pytest.approx(expected, rel=1e-9)
