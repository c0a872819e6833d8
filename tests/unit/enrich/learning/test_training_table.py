"""Tests of the frame: records, their rows, and the folds in which they are held out."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pytest

from db.scoring.packed_numbers import Vector
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    NumberField,
    TextField,
)
from db.spec.record_key import fold_of, key_of
from enrich.learning.column import columns_of, feature_counts, make_table
from enrich.learning.training_table import deal_folds, extent_of, make_frame

from .frames import frame_of, spec_of

Raw: TypeAlias = list[dict[str, Any]]

TRIPS = spec_of("classification", trip=ChoiceField(), age=NumberField(optional=True))


def keys(count: int) -> list[bytes]:
    """Return the keys of so many records."""
    return [key_of([at]) for at in range(count)]


def test_each_labelled_row_counts_and_each_record_is_kept_once() -> None:
    """The rows of a record are next to each other, each with its label."""
    rows: Raw = [
        {"trip": "work", "age": 30, "y": "big"},
        {"trip": "fun", "age": None, "y": "small"},
        {"trip": "work", "age": 30, "y": "small"},
        {"trip": "work", "age": 30, "y": "big"},
    ]
    frame = frame_of(TRIPS, rows)
    assert len(frame) == 4
    assert len(frame.keys) == len(frame.inputs) == len(frame.table) == 2
    assert frame.labels.tolist() == ["big", "small", "big", "small"]
    assert frame.index.tolist() == [0, 0, 0, 1]
    assert frame.row_folds.tolist() == [frame.folds[at] for at in frame.index]


def test_missing_values_have_their_place_in_the_table() -> None:
    """A missing number is not a number, any other value is empty: no text says None."""
    spec = spec_of(
        "regression",
        wish=TextField(optional=True),
        trip=ChoiceField(optional=True),
        lift=BooleanField(optional=True),
        age=NumberField(optional=True),
        day=DateField(optional=True),
    )
    nothing = dict.fromkeys(spec.fields)
    row = make_table(columns_of(spec, {"mood": "good"}), [{**nothing, "mood": None}])[0]
    assert [row[name] for name in ("wish", "trip", "lift", "mood")] == ["", "", "", ""]
    assert [row[name] for name in ("day.month", "day.weekday")] == ["", ""]
    assert np.isnan([row[name] for name in ("age", "day.days", "day.year", "day.day")]).all()


def test_a_date_has_columns_for_its_parts() -> None:
    """Own teachers find them under these names."""
    spec = spec_of("regression", day=DateField(), at=DatetimeField())
    columns = columns_of(spec, {})
    assert columns == {
        "day.days": "number",
        "day.year": "number",
        "day.day": "number",
        "day.month": "choice",
        "day.weekday": "choice",
        "at.days": "number",
        "at.year": "number",
        "at.day": "number",
        "at.month": "choice",
        "at.weekday": "choice",
        "at.hour": "choice",
    }
    table = make_table(columns, [{"day": "2024-12-31", "at": "1970-01-02T06:00:00"}])
    assert table[0].tolist() == (20088, 2024, 31, "12", "2", 1.25, 1970, 2, "01", "5", "06")


def test_many_records_are_folded_by_their_keys() -> None:
    """A record stays in its fold when others come."""
    assert deal_folds(keys(200), [1] * 200).tolist() == [fold_of(key) for key in keys(200)]


@pytest.mark.parametrize(("records", "folds"), [(2, 2), (3, 3), (14, 5), (19, 5), (20, 10)])
def test_few_records_are_dealt_out_evenly(records: int, folds: int) -> None:
    """By their keys most of them could be in one fold."""
    dealt = deal_folds(keys(records), [1] * records).tolist()
    sizes = [dealt.count(fold) for fold in sorted(set(dealt))]
    assert len(sizes) == folds
    assert max(sizes) - min(sizes) <= 1


def test_a_record_with_most_rows_has_a_fold_of_its_own() -> None:
    """Otherwise little would be left to train on."""
    folds = deal_folds(keys(6), [100, 10, 10, 10, 10, 10]).tolist()
    assert folds.count(folds[0]) == 1


def test_records_whose_keys_share_a_fold_are_dealt_out() -> None:
    """Whatever the keys, there is something to train on and something to hold out."""
    same = [(5 * at).to_bytes(16, "big") for at in range(100)]
    assert len(set(deal_folds(same, [1] * 100).tolist())) > 1


def test_the_extent_counts_rows_records_labels_and_features() -> None:
    """A record with a row of another label counts once, a missing number has a feature."""
    rows: Raw = [
        {"trip": f"t{at % 6}", "age": at if at % 2 else None, "y": "big"} for at in range(6)
    ]
    rare: Raw = [{"trip": "rare", "age": 1, "y": "small"}] * 2 + [
        {"trip": "t0", "age": None, "y": "small"}
    ]
    frame = frame_of(TRIPS, rows * 5 + rare)
    extent = extent_of(frame)
    assert (extent.rows, extent.records, extent.labels) == (33, 7, 2)
    assert extent.features == {"trip": 7, "age": 2}
    assert extent.repeats == 1.0


def test_rows_repeat_their_records_from_five_rows_for_each() -> None:
    """Below that they are as good as different."""
    rows = [{"trip": trip, "age": 1, "y": "big"} for trip in ("work", "fun")]
    assert extent_of(frame_of(TRIPS, rows * 4)).repeats == 1.0
    assert extent_of(frame_of(TRIPS, rows * 6)).repeats == 6.0


def test_a_number_has_a_second_feature_if_some_are_missing() -> None:
    """A choice has one for each value, a missing one included."""
    columns = columns_of(TRIPS, {})
    rows: Raw = [{"trip": None, "age": 1.0}, {"trip": "fun", "age": 2.0}]
    assert feature_counts(columns, make_table(columns, rows)) == {"trip": 2, "age": 1}
    gap: Raw = [*rows, {"trip": "fun", "age": None}]
    assert feature_counts(columns, make_table(columns, gap)) == {"trip": 2, "age": 2}


def test_values_of_another_kind_than_their_column_are_counted() -> None:
    """A service answered with numbers for years, and then with other things too."""
    vector = Vector(np.ones(2, dtype="<f4").tobytes())
    rows: Raw = [
        {"score": 1.5, "place": vector},
        {"score": None, "place": None},
        {"score": "12", "place": vector},
        {"score": 7, "place": Vector(np.ones(3, dtype="<f4").tobytes())},
        {"score": "high", "place": "none"},
        {"score": {"error": 1}, "place": vector},
        {"score": 1e300, "place": vector},
    ]
    records: list[tuple[bytes, dict[str, Any], list[str]]] = [
        (key, {}, []) for key in keys(len(rows))
    ]
    frame = make_frame(
        TRIPS, records, [{"trip": "a", "age": 1, **row} for row in rows], ["score", "place"]
    )
    assert frame.columns["score"] == "number"
    assert frame.unread == {"score": 3, "place": 2}
