"""Inputs are found in the columns of a table, and read as an import reads them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from db.errors import DataFileError, InputError
from db.files.prediction.row_inputs import CellInputs, ValueInputs, find_columns
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    Inputs,
    IntegerField,
    NumberField,
    TextField,
)

SPEC = DatasetSpec(
    name="flats",
    kind="regression",
    target="rent",
    missing=("n/a",),
    fields={
        "area": NumberField(min=1, column="living area"),
        "price": NumberField(format="$1,234.5", optional=True),
        "rooms": IntegerField(optional=True, missing=("-1",)),
        "town": ChoiceField(default="Lyon"),
        "note": TextField(optional=True, max_length=9),
        "lift": BooleanField(optional=True),
        "since": DateField(order="DMY", optional=True),
    },
)
COLUMNS = dict(zip(SPEC.fields, SPEC.field_columns, strict=True))
NAMES = ("id", *SPEC.field_columns)

CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "n/a", "-1", "1", " 7.50 ", "1e3", "$1,200.5", "1,200", "true", "0", "31.12.2020"]
    ),
    st.text(max_size=12),
)


def read_or_fault(cells: list[str], reader: CellInputs) -> Inputs | str:
    """Return the inputs of a row, or the field that is wrong with them."""
    try:
        return reader.read(cells)
    except InputError as error:
        return str(error)


def picked_or_faults(cells: list[str]) -> tuple[Inputs | None, set[str]]:
    """Return what an import reads, or what is wrong with each field alone."""
    row = {name: text for name, cell in zip(NAMES, cells, strict=True) if (text := cell.strip())}
    faults = set()
    for name in SPEC.fields:
        others = {column: "5" for column in ("living area",) if COLUMNS[name] != column}
        own = {key: text for key, text in row.items() if key == COLUMNS[name]}
        try:
            SPEC.pick_inputs(others | own)
        except InputError as error:
            faults.add(str(error))
    return (None if faults else SPEC.pick_inputs(row)), faults


@given(st.lists(st.lists(CELLS, min_size=len(NAMES), max_size=len(NAMES)), max_size=4))
@example(
    [["1", "n/a", "", "", "", "", "", ""], ["2", "5", "$1,200.5", "-1", "", "", "1", "1.2.2020"]]
)
def test_cells_are_read_as_an_import_reads_them(rows: list[list[str]]) -> None:
    """Also those that have been read before."""
    reader = CellInputs(SPEC, NAMES, COLUMNS)
    for cells in (*rows, *rows):
        inputs, faults = picked_or_faults(cells)
        read = read_or_fault(cells, reader)
        assert read == inputs if inputs is not None else read in faults


def test_a_short_row_has_missing_values() -> None:
    """The last columns of a table may have no names, and no cells."""
    reader = CellInputs(SPEC, NAMES, COLUMNS)
    assert reader.read(["1", "50"]) == SPEC.pick_inputs({"living area": "50"})


def test_a_field_with_another_column_is_not_found_by_its_own_name() -> None:
    """As an import reads the file: a table may have both, and they may differ."""
    columns, note = find_columns(SPEC, ("living area", "area"), "table.csv")
    assert columns == {"area": "living area"}
    assert note.startswith("has no column price")
    assert CellInputs(SPEC, ("living area", "area"), columns).read(["50", "9"])["area"] == 50
    with pytest.raises(DataFileError, match="has no column living area"):
        find_columns(SPEC, ("area", "town"), "table.csv")


def test_a_column_may_be_missing_if_its_field_need_not_be_given() -> None:
    """A field has its default then; the note names the columns."""
    names = ("note", "living area")
    columns, note = find_columns(SPEC, names, "table.csv")
    assert columns == {"area": "living area", "note": "note"}
    assert note == (
        "has no column price, rooms, town, lift, since, so these values are missing in each row"
    )
    inputs = CellInputs(SPEC, names, columns).read(["x", "50"])
    assert list(inputs.items()) == list(SPEC.pick_inputs({"living area": 50, "note": "x"}).items())
    assert ValueInputs(SPEC).read({"living area": 50, "note": "x"}) == inputs


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("rent", "id"), "has none of the columns of flats: living area, price"),
        (("Living Area", "town"), "has the column Living Area, but flats reads living area"),
        (("town", "note"), "has no column living area, which flats needs for each prediction"),
    ],
)
def test_a_table_that_cannot_be_predicted_is_refused(names: tuple[str, ...], message: str) -> None:
    """Before any row is read."""
    with pytest.raises(DataFileError, match=f"^table.csv: {message}"):
        find_columns(SPEC, names, "table.csv")
