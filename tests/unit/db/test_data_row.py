"""Tests of the reader of data files' rows: it reads each row as the methods of the spec do."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import InputError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    IntegerField,
    NumberField,
    TextField,
)
from db.spec.reading.data_row import DataRowReader


def spec_of(kind: Literal["classification", "regression"], **changes: Any) -> DatasetSpec:  # noqa: ANN401
    """Return a spec with a field of each type, and some with words for "missing" or a format."""
    return DatasetSpec(
        name="all",
        kind=kind,
        target="y",
        id="id",
        fields={
            "text": TextField(max_length=8),
            "note": TextField(optional=True, missing=("none",)),
            "choice": ChoiceField(choices=("a", "b"), strict=True, optional=True),
            "number": NumberField(min=-10, max=1000, column="the number"),
            "price": NumberField(format="1,234.5", optional=True),
            "gauge": NumberField(missing=("-200",), optional=True),
            "whole": IntegerField(optional=True),
            "flag": BooleanField(default=False),
            "day": DateField(optional=True, order="DMY"),
            "moment": DatetimeField(optional=True),
        },
        **changes,
    )


SPECS = (
    spec_of("classification"),
    spec_of("classification", labels=("a", "b"), missing=("NA", "?"), target_missing=("none",)),
    spec_of("regression"),
    spec_of("regression", decimal=",", target_missing=("-1",)),
    spec_of("regression", target_format="$1,234.5"),
)
ROW = {"text": "a b", "the number": "1", "id": "7", "y": "3"}
CELLS: tuple[Any, ...] = (
    *("", " ", "a", "b", "none", "NA", "?", "a  b", " a", "e\u0301", "\x00", "a\u200db", "x" * 9),
    *("0", "-0", "1", "1.0", "30", "3e1", "1e400", "nan", "1_0", "٣", "2,5", "1.100", "1,234.5"),
    *("-200", "-200.0", "5000", "true", "FALSE", "1/2/2024", "2024-01-31", "2024-01-31T08:00"),
    *("$1,234.5", "null", "17.0", "K17", "x" * 201, "-1", "9" * 400),
    *(None, True, False, 0, 1, -0.0, 1.5, 30.0, float("nan"), 2**70, 20240131),
    *(Decimal("1.50"), Decimal(30), [], {"a": 1}),
)
COLUMNS = (*(name for name in SPECS[0].field_columns), "y", "id", "other")


def told(spec: DatasetSpec, row: Mapping[str, object], reader: DataRowReader | None) -> object:
    """Return what a row says as text, with types, or what is wrong with it."""
    try:
        if reader is not None:
            return repr(tuple(reader.read(row)))
        return repr((spec.pick_inputs(row), spec.pick_label(row), spec.pick_row_id(row)))
    except InputError as error:
        return str(error), error.reason


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_reader_reads_each_cell_as_the_spec_does(spec: DatasetSpec, column: str) -> None:
    """It keeps values of cells, so each is read twice, and again after all others."""
    reader = DataRowReader(spec)
    for cell in (*CELLS, *CELLS):
        row = {**ROW, column: cell}
        assert told(spec, row, reader) == told(spec, row, None), cell
        assert told(spec, row, reader) == told(spec, row, None), cell


@given(st.sampled_from(SPECS), st.dictionaries(st.sampled_from(COLUMNS), st.sampled_from(CELLS)))
def test_a_reader_says_what_the_spec_says_of_a_row_with_several_faults(
    spec: DatasetSpec, cells: dict[str, object]
) -> None:
    """Also of a row without some of the columns."""
    assert told(spec, cells, DataRowReader(spec)) == told(spec, cells, None)
    row = {**ROW, **cells}
    assert told(spec, row, DataRowReader(spec)) == told(spec, row, None)
