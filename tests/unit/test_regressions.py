"""Bugs that were fixed: each test fails if one of them comes back."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from db.errors import (
    ArtifactError,
    DataFileError,
    EnricherError,
    InputError,
    SettingError,
    SpecError,
)
from db.files.reader import read_rows
from db.scoring.packed_numbers import Vector
from db.scoring.student_data import Artifact
from db.settings import load_settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, NumberField, TextField, example_of
from db.spec.toml_file import read_spec
from db.spec.validation import read_value
from enrich.enrichers.value import to_value
from enrich.import_string import import_from_path
from enrich.learning.column import columns_of, make_table, usual_value
from enrich.learning.portable.features import spread
from enrich.learning.portable.linear_model import LinearSettings
from enrich.learning.quality.out_of_fold import pack_answers
from enrich.learning.teacher_file import load_teacher
from serve.api.query import read_item, read_query
from tests.unit.enrich.learning.frames import spec_of
from tests.unit.enrich.learning.portable.exported import case_of

SPEC = """
name = "guests"
kind = "classification"
target = "mood"
{more}
[fields.age]
type = "integer"
{age}
"""


def spec(folder: Path, *, more: str = "", age: str = "") -> DatasetSpec:
    """Return a spec with these additional lines."""
    path = folder / "guests.toml"
    path.write_text(SPEC.format(more=more, age=age), "utf-8")
    return read_spec(path)


def write_data_file(folder: Path, data: bytes) -> Path:
    """Write a data file and return its path."""
    path = folder / "rows"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("more", "age", "words"),
    [
        ("", "min = 5\nmax = 1", "key fields.age.min: must not be above max"),
        ('labels = ["a", "a"]', "", "key labels: contains a value twice"),
        ('labels = [" a"]', "", "key labels: ' a' has extra white space"),
        ("", 'min = "low"', "key fields.age.min: Expected `int | null`, got `str`"),
        ("", "least = 1", "key fields.age: unknown key `least`"),
        ("title = " + "[" * 5000, "", "is not TOML"),
    ],
)
def test_an_error_in_a_spec_names_the_key(tmp_path: Path, more: str, age: str, words: str) -> None:
    """A spec may have many fields, so the message also names the field."""
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, more=more, age=age)
    assert words in str(caught.value)


@pytest.mark.parametrize("route", ["/livez", "/readyz", "/docs/more"])
def test_a_flat_route_that_already_exists_is_refused(tmp_path: Path, route: str) -> None:
    """Requests to it would never reach the dataset."""
    with pytest.raises(SpecError, match="is already a route"):
        spec(tmp_path, more=f'flat_route = "{route}"')


def test_a_label_is_the_same_from_csv_and_from_json(tmp_path: Path) -> None:
    """JSON has types: its true is the CSV text "true", and its 1.0 is the CSV text "1"."""
    guests = spec(tmp_path)
    assert guests.read_label(raw=True) == guests.read_label("true") == "true"
    assert guests.read_label(1.0) == guests.read_label("1") == "1"
    with pytest.raises(InputError):
        guests.read_label(float("nan"))


def test_an_example_of_a_short_text_is_short_enough() -> None:
    """The field itself must accept its example."""
    field = TextField(max_length=3)
    assert read_value("note", field, example_of(field)) == "som"


def test_a_huge_integer_is_not_a_boolean() -> None:
    """Writing its 5000 digits into the message would raise a ValueError."""
    with pytest.raises(InputError):
        read_value("lift", BooleanField(), 10**5000)


@pytest.mark.parametrize("nested", [b'[{"a":' + b"[" * 100_000, b'{"a":' + b"[" * 100_000])
def test_a_file_nested_too_deeply_is_refused(tmp_path: Path, nested: bytes) -> None:
    """The user gets one line, not the traceback of a RecursionError."""
    with pytest.raises(DataFileError):
        list(read_rows(write_data_file(tmp_path, nested)))


def test_a_number_split_by_the_window_is_read_whole(tmp_path: Path) -> None:
    """The reader's window may end at any character of the number."""
    for spaces in range(65_525, 65_540):
        path = write_data_file(tmp_path, b'[{"a": 1},' + b" " * (spaces - 10) + b"1e5, 12.25]")
        assert len(list(read_rows(path))) == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b\n" + b"1,2\n" * 30_000 + b"\xe9,1\n", "line 30002: is not UTF-8"),
        (b'a,b\n1,2\n"1"x,2\n', "line 3: is not CSV"),
        (b"[" + b"1" * 5000 + b"]", "line 1"),
    ],
)
def test_an_error_that_makes_a_file_unreadable_is_described(
    tmp_path: Path, data: bytes, words: str
) -> None:
    """The user has to find the error in the file."""
    with pytest.raises(DataFileError) as caught:
        list(read_rows(write_data_file(tmp_path, data)))
    assert words in str(caught.value)


def test_a_header_may_follow_blank_lines_and_contain_other_delimiters(tmp_path: Path) -> None:
    """Some spreadsheets write such headers."""
    assert [
        row.values for row in read_rows(write_data_file(tmp_path, b'\n\n"a;x;y",b\n1,2\n'))
    ] == [{"a;x;y": "1", "b": "2"}]


def test_an_error_does_not_show_the_password() -> None:
    """Error messages end up in logs."""
    with pytest.raises(SettingError) as caught:
        load_settings({"DATABASE_URL": "mysql://someone:secret@host/x"})
    assert "secret" not in str(caught.value)


def test_code_paths_may_name_one_module() -> None:
    """Other modules of the same package are still refused."""
    assert callable(import_from_path("tests.unit.sample_code.Length", ["tests.unit.sample_code"]))
    with pytest.raises(EnricherError, match="outside CODE_PATHS"):
        import_from_path("tests.conftest.run_command", ["tests.unit"])


def test_bytes_that_are_not_a_skops_file_are_refused() -> None:
    """Their SHA-256 is right; only the format is wrong."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(ArtifactError, match="cannot be loaded: BadZipFile"):
        load_teacher(Artifact(b"", empty), ["datasets"])


def test_a_number_out_of_range_fails_only_its_item() -> None:
    """The other items of the batch are still answered."""
    with pytest.raises(InputError, match="out of range"):
        read_item(msgspec.Raw(b'{"age": 1e999}'))


def test_parameters_with_other_names_are_ignored() -> None:
    """One of them is repeated, and another is not UTF-8."""
    parameters = read_query("x=1&x=2&y=%ff&sentence=a", only=("sentence",))
    assert parameters == {"sentence": "a"}


def test_a_function_that_a_trusted_library_only_imports_is_not_trusted() -> None:
    """scikit-learn's own tests import a function that runs commands."""
    skops_file = io.BytesIO()
    schema = {
        "__class__": "check_output",
        "__module__": "sklearn.utils._testing",
        "__loader__": "FunctionNode",
        "content": "sklearn.utils._testing.check_output",
        "protocol": 1,
        "_skops_version": "0.16",
    }
    with zipfile.ZipFile(skops_file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    data = skops_file.getvalue()
    with pytest.raises(ArtifactError, match="check_output"):
        load_teacher(Artifact(data, hashlib.sha256(data).hexdigest()), ["datasets"])


@pytest.mark.parametrize("constant", [0.1, 0.7, 1.1, 19.99, 1e9 / 3])
def test_a_constant_column_has_no_spread(constant: float) -> None:
    """Its standard deviation is only rounding error, which must not be a divisor."""
    assert spread(np.full(1000, constant), np.ones(1000)) == 1.0


def test_a_student_answers_a_finite_number_far_outside_its_training_data() -> None:
    """JSON has no infinity and no NaN."""
    case = case_of(
        spec_of("regression", x=NumberField()), [{"x": x, "y": x} for x in range(-25, 25)]
    )
    student = case.student(case.fit_linear(LinearSettings("squares", 1.0, "piecewise-linear")))
    assert math.isfinite(student.number({"x": 1e100}))
    assert math.isfinite(student.number({"x": -1e100}))


def test_large_targets_keep_their_digits_out_of_fold() -> None:
    """For example, seconds since 1970 would be minutes off as float32."""
    answers = np.array([1.7e9 + 1, 1.7e9 + 2])
    out_of_fold = pack_answers([], [b"a" * 16, b"b" * 16], answers, answers)
    assert list(out_of_fold.answers("teacher").values()) == answers.tolist()


def test_a_missing_value_in_the_first_row_does_not_hide_a_column() -> None:
    """Not every row has every enrichment."""
    rows: list[dict[str, Any]] = [{"n": None, "v": None}, {"n": 2, "v": Vector.of([1, 2])}]
    kinds = {name: usual_value(name, rows) for name in ("n", "v")}
    columns = columns_of(spec_without_fields(), kinds)
    table = make_table(columns, rows)
    assert columns == {"n": "number", "v": "vector"}
    assert np.isnan(table["n"][0])
    assert table["v"].tolist() == [[0, 0], [1, 2]]


def spec_without_fields() -> DatasetSpec:
    """Return a spec whose columns are all enrichments."""
    return DatasetSpec(name="none", kind="regression", target="y", fields={})


def test_a_value_that_json_cannot_hold_is_an_error_of_the_enricher() -> None:
    """It is found as soon as the enricher returns it."""
    with pytest.raises(EnricherError, match="its value cannot be stored"):
        to_value(1j)
