"""Tests of JSON arrays and JSON lines, large or damaged, and of objects in objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import DataFileError
from db.files.reader import read_rows

from .data_file import error_message, faults, layout, row_values, rows

# The number of characters of a JSON array that are read at a time.
WINDOW = 1 << 16

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
objects = st.lists(st.dictionaries(texts, values, max_size=5), max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all generated examples write into, one after the other."""
    return tmp_path_factory.mktemp("data")


def test_json_lines_may_have_blank_lines_between_them(folder: Path) -> None:
    """A null value is a missing value."""
    data = '{"wish": "a", "room": null}\n\n  \n{"wish": "b"}'
    assert [(row.line, row.values) for row in rows(folder, data)] == [
        (1, {"wish": "a"}),
        (4, {"wish": "b"}),
    ]


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "3", "null", "true"])
def test_a_line_that_is_not_an_object_is_a_fault(folder: Path, line: str) -> None:
    """The other lines are read."""
    source_rows = rows(folder, f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    assert [(row.line, row.fault) for row in source_rows] == [
        (1, ""),
        (2, "is not a JSON object"),
        (3, ""),
    ]


@pytest.mark.parametrize("line", ['{"a": 1', '{"a": 1} x', "{'a': 1}", '{"a": NaN', "nothing"])
def test_a_broken_line_is_refused_with_its_number(folder: Path, line: str) -> None:
    """Such a file is not a file of JSON lines."""
    assert error_message(folder, f'{{"a": 1}}\n\n{line}\n').startswith("line 3: is not JSON")


@pytest.mark.parametrize("data", ["[]", " [ ] ", "\n[\n]\n"])
def test_an_empty_array_has_no_rows(folder: Path, data: str) -> None:
    """Nothing to import is not an error."""
    assert rows(folder, data) == []


def test_items_that_are_not_objects_are_faults_with_their_lines(folder: Path) -> None:
    """Arrays in the array are faults as well, because their meaning is unknown."""
    data = '[{"a":\n "x"},\n [{"a":\n 2}],\n "text", 3,\n\n null, {"a": 1}]'
    source_rows = rows(folder, data)
    assert [(row.line, row.fault) for row in source_rows if row.fault] == [
        (line, "is not a JSON object") for line in (3, 5, 5, 7)
    ]
    assert [row.values for row in source_rows if not row.fault] == [{"a": "x"}, {"a": 1}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('[{"a": 1}\n{"a": 2}]', "line 2: is not JSON: expected ','"),
        ('[{"a": 1},\n]', "line 2: is not JSON"),
        ('[{"a": 1},\n{"a" 2}]', "line 2: is not JSON"),
        ('[{"a": 1}', "line 1: is not JSON"),
        ("[", "line 1: is not JSON"),
        ('[{"a": 1}]\n\n{"a": 2}', "line 3: there is more text after the end of the array"),
        ("[]]", "line 1: there is more text after the end of the array"),
    ],
)
def test_a_broken_array_is_refused_with_its_line(folder: Path, data: str, message: str) -> None:
    """Earlier rows may have been read before the error; `check_rows` reads all rows first."""
    assert error_message(folder, data).startswith(message)


ITEMS = '{"né": -12.5e+3, "b": "\\u00e9\\n\\"é", "c": true, "d": 120}, {"e": {"f": "}]"}}'


@pytest.mark.parametrize("before", range(len(ITEMS) + 3))
def test_an_array_reads_the_same_wherever_the_window_ends(folder: Path, before: int) -> None:
    """The window may end in a number, an escape, a literal, a name or between items."""
    blank = " " * (WINDOW - 1 - before)
    assert row_values(folder, f"[{blank}{ITEMS}]") == [json.loads(f"[{ITEMS}]")[0], {"e.f": "}]"}]


def test_a_number_split_by_the_window_is_one_item(folder: Path) -> None:
    """It is one fault, not two."""
    blank = " " * (WINDOW - len("[12"))
    source_rows = rows(folder, f'[{blank}1234, {{"a": 1}}]')
    assert [(row.values, row.fault) for row in source_rows] == [
        ({"row": 1234}, "is not a JSON object"),
        ({"a": 1}, ""),
    ]


@pytest.mark.parametrize("text", ['[{"a": "\\ud83d", "b": 2}, {"a": "\\ud83d\\ude00"}]', None])
def test_half_a_character_is_the_fault_of_its_row(folder: Path, text: str | None) -> None:
    """No file and no store can have it; a whole character in two halves is fine."""
    text = text or '{"a": "\\ud83d", "b": 2}\n{"a": "\\ud83d\\ude00"}\n'
    half, whole = rows(folder, text)
    assert half.values == {"a": "?", "b": 2}
    assert half.fault == r"has a text with half a character, \ud83d; write it again as UTF-8"
    assert (whole.values, whole.fault) == ({"a": "\U0001f600"}, "")


def test_items_longer_than_the_window_are_read_whole(folder: Path) -> None:
    """The items after them are read as well."""
    long = [{"a": "é" * WINDOW}, {"a": "x" * (3 * WINDOW)}, {"a": "y"}]
    assert row_values(folder, json.dumps(long, ensure_ascii=False, indent=1)) == long


def test_lines_are_counted_over_many_windows(folder: Path) -> None:
    """The line of a fault at the end is right."""
    items = ['{"a": "' + "x" * 90 + '"}'] * 5000
    source_rows = rows(folder, "[\n" + ",\n".join([*items, "7"]) + "\n]\n")
    assert (source_rows[-1].line, source_rows[-1].fault) == (5002, "is not a JSON object")


@given(written=objects, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_objects_written_as_an_array_read_back_the_same(
    folder: Path, written: list[dict[str, Any]], indent: int | None, *, ascii_only: bool
) -> None:
    """Only null values are left out."""
    data = json.dumps(written, indent=indent, ensure_ascii=ascii_only)
    assert row_values(folder, data) == without_null(written)


@given(written=objects.filter(len), ascii_only=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_objects_written_as_lines_read_back_the_same(
    folder: Path, written: list[dict[str, Any]], end: str, *, ascii_only: bool
) -> None:
    """Only null values are left out."""
    lines = [json.dumps(item, ensure_ascii=ascii_only) + end for item in written]
    assert row_values(folder, "".join(lines)) == without_null(written)


def without_null(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects without their null values."""
    return [{k: v for k, v in item.items() if v is not None} for item in written]


def test_rows_are_read_one_at_a_time(folder: Path) -> None:
    """The first rows are available before the reader meets the error."""
    path = folder / "data"
    path.write_text('[{"a": 1}, {"a": 2}, {"a"')
    reader = read_rows(path)
    assert next(reader).values == {"a": 1}
    assert next(reader).values == {"a": 2}
    with pytest.raises(DataFileError, match="is not JSON"):
        next(reader)


@pytest.mark.parametrize("is_array", [False, True])
def test_members_of_objects_in_objects_are_columns_with_a_dot(
    folder: Path, *, is_array: bool
) -> None:
    """The order is that of the file, and null is a missing value at any depth."""
    items = [
        {"user": {"age": 59, "at": {"town": "Lille", "zip": None}, "tags": None}, "rent": 590},
        {"rent": 300, "user": {"at": {}, "age": 30}, "note": None},
    ]
    lines = "\n".join(map(json.dumps, items))
    read = row_values(folder, json.dumps(items) if is_array else lines)
    assert read == [
        {"user.age": 59, "user.at.town": "Lille", "rent": 590},
        {"rent": 300, "user.age": 30},
    ]
    assert list(read[1]) == ["rent", "user.age"]


def test_two_members_with_the_same_name_after_flattening_are_a_fault(folder: Path) -> None:
    """One of the values would be lost."""
    lines = [
        '{"user.age": 1, "user": {"age": 2}}',
        '{"user": {"age": 2}, "user.age": 1}',
        '{"user.age": null, "user": {"age": 2}}',
    ]
    source_rows = rows(folder, "\n".join(lines))
    fault = "user.age: occurs twice; rename one of the two members"
    assert [(row.line, row.fault) for row in source_rows] == [(1, fault), (2, fault), (3, "")]
    assert source_rows[2].values == {"user.age": 2}


@pytest.mark.parametrize("value", ["[1, 2]", "[]", '["a", null]', '[{"b": 1}]', "[[1]]"])
def test_a_list_stays_as_it_is(folder: Path, value: str) -> None:
    """It is a bad value only if a field reads it, so its row is not lost."""
    data = f'{{"a": 1}}\n{{"b": 2, "user": {{"a": {value}}}}}\n{{"a": 3}}\n'
    assert [row.values for row in rows(folder, data)] == [
        {"a": 1},
        {"b": 2, "user.a": json.loads(value)},
        {"a": 3},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_json_are_counted_with_any_line_ends(folder: Path, end: str) -> None:
    """Old computers end lines with one carriage return."""
    array = end.join(["[", '{"a": 1},', '{"a": 2},', "3]", ""])
    assert faults(folder, array) == [(4, "is not a JSON object")]
    lines = end.join(['{"a": 1}', '{"a": 2}', "3", ""])
    assert faults(folder, lines) == [(3, "is not a JSON object")]


@pytest.mark.parametrize(
    "data",
    [
        '{"data": [{"a": 1}, {"a": 2}]}',
        '{"total": 2, "page": {"a": 9}, "results": [{"a": 1}, {"a": 2}], "next": null}',
        '{\n  "records": [\n    {"a": 1},\n    {"a": 2}\n  ]\n}\n',
        """{"type": "FeatureCollection", "features": [
            {"type": "Feature", "geometry": {"type": "Point"}, "properties": {"a": 1}},
            {"type": "Feature", "geometry": null, "properties": {"a": 2}}]}""",
    ],
)
def test_the_rows_may_be_a_list_in_one_object(tmp_path: Path, data: str) -> None:
    """Programs wrap the rows; a note tells where they were."""
    assert row_values(tmp_path, data) == [{"a": 1}, {"a": 2}]
    (note,) = layout(tmp_path, data).notes
    assert note.startswith("the rows are the list ")


@pytest.mark.parametrize(
    "data",
    [
        '{"a": 1, "tags": [{"x": 1}]}\n',
        '{"data": [{"x": 1}]}\n{"data": [{"x": 2}]}\n',
        '{"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 4}}\n',
        '{"a": [1, 2], "b": 3}\n',
    ],
)
def test_an_object_in_a_line_is_a_row(tmp_path: Path, data: str) -> None:
    """Lists and objects in it are its values."""
    assert len(row_values(tmp_path, data)) == data.count("\n")
    assert layout(tmp_path, data).notes == ()


@pytest.mark.parametrize(
    "data",
    [
        '{"columns": ["a", "y"], "index": [0, 1], "data": [[1, 2], [3, 4]]}',
        '{"a": {"0": 1, "1": 2}, "y": {"0": 3, "1": 4}}',
        '{"0": {"a": 1, "y": 2}, "1": {"a": 3, "y": 4}}',
        '{"a": [1, 2, 3], "y": [4, 5, 6]}',
    ],
)
def test_an_object_of_columns_is_refused_with_what_to_do(tmp_path: Path, data: str) -> None:
    """It would be one row with thousands of values."""
    assert error_message(tmp_path, data) == (
        "is one object with the columns of a table; export the rows from pandas with"
        ' df.to_json(path, orient="records")'
    )


@pytest.mark.parametrize(
    "data", ['[{"a": NaN, "b": 1}, {"a": -Infinity}]', '{"a": NaN, "b": 1}\n{"a": -Infinity}\n']
)
def test_nan_and_infinity_are_missing_values(tmp_path: Path, data: str) -> None:
    """Python writes them where a number is missing."""
    assert row_values(tmp_path, data) == [{"b": 1}, {}]


def test_rows_in_an_object_may_be_longer_than_what_is_read_at_a_time(tmp_path: Path) -> None:
    """The file is read in parts, which end anywhere."""
    expected = [{"a": number, "b": "x" * 40} for number in range(4000)]
    data = json.dumps({"info": "y" * WINDOW, "data": expected, "more": [1] * 1000})
    assert row_values(tmp_path, data) == expected
