"""What was once wrong: each here would be found again at the user's."""

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
from db.files.reader import check_rows, read_rows
from db.records.enrichment import Vector
from db.records.model import Artifact
from db.scoring.student import Student
from db.settings import load_settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, NumberField, TextField, example_of, read_value
from db.spec.toml_file import read_spec
from enrich.enrichers.base import to_value
from enrich.import_string import import_from_path
from enrich.learning.column import columns_of, first_value, make_table
from enrich.learning.cross_validation import OutOfFold, number_type
from enrich.learning.distil import StudentTrainingSet, fit_student, spread
from enrich.learning.teacher import load_teacher
from serve.api.query import read_item, read_query

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
    """Read a spec with these lines added."""
    path = folder / "guests.toml"
    path.write_text(SPEC.format(more=more, age=age), "utf-8")
    return read_spec(path)


def source(folder: Path, data: bytes) -> Path:
    """Write a data file."""
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
def test_a_spec_that_cannot_work_names_the_key(
    tmp_path: Path, more: str, age: str, words: str
) -> None:
    """And the field, where there are ten."""
    with pytest.raises(SpecError) as caught:
        spec(tmp_path, more=more, age=age)
    assert words in str(caught.value)


@pytest.mark.parametrize("route", ["/livez", "/readyz", "/docs/more"])
def test_a_flat_route_that_is_one_of_ours_is_refused(tmp_path: Path, route: str) -> None:
    """It would never be reached."""
    with pytest.raises(SpecError, match="is already a route"):
        spec(tmp_path, more=f'flat_route = "{route}"')


def test_true_and_one_are_one_label_whatever_the_file(tmp_path: Path) -> None:
    """CSV says true, JSON says true; CSV says 1, JSON says 1.0."""
    guests = spec(tmp_path)
    assert guests.read_label(raw=True) == guests.read_label("true") == "true"
    assert guests.read_label(1.0) == guests.read_label("1") == "1"
    with pytest.raises(InputError):
        guests.read_label(float("nan"))


def test_an_example_of_a_short_text_is_short_enough() -> None:
    """An example that is refused helps nobody."""
    field = TextField(max_length=3)
    assert read_value("note", field, example_of(field)) == "som"


def test_a_whole_number_of_any_size_is_no_boolean() -> None:
    """It must not be written out either."""
    with pytest.raises(InputError):
        read_value("lift", BooleanField(), 10**5000)


@pytest.mark.parametrize("nested", [b'[{"a":' + b"[" * 100_000, b'{"a":' + b"[" * 100_000])
def test_a_file_nested_too_deeply_is_refused(tmp_path: Path, nested: bytes) -> None:
    """Without a traceback."""
    with pytest.raises(DataFileError):
        check_rows(source(tmp_path, nested))


def test_a_number_cut_by_the_window_is_read_whole(tmp_path: Path) -> None:
    """Wherever the cut falls."""
    for spaces in range(65_525, 65_540):
        path = source(tmp_path, b'[{"a": 1},' + b" " * (spaces - 10) + b"1e5, 12.25]")
        assert len(list(read_rows(path))) == 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b\n" + b"1,2\n" * 30_000 + b"\xe9,1\n", "line 30002: is not UTF-8"),
        (b'a,b\n1,2\n"1"x,2\n', "line 3: is not CSV"),
        (b"[" + b"1" * 5000 + b"]", "line 1"),
        (b'[{"a": NaN}]', "NaN is not a JSON number"),
    ],
)
def test_a_fault_of_a_whole_file_is_named_with_its_line(
    tmp_path: Path, data: bytes, words: str
) -> None:
    """A person must find it."""
    with pytest.raises(DataFileError) as caught:
        check_rows(source(tmp_path, data))
    assert words in str(caught.value)


def test_a_header_may_follow_blank_lines_and_hold_other_delimiters(tmp_path: Path) -> None:
    """As spreadsheets write them."""
    assert [row.values for row in read_rows(source(tmp_path, b'\n\n"a;x;y",b\n1,2\n'))] == [
        {"a;x;y": "1", "b": "2"}
    ]


def test_a_password_is_not_told() -> None:
    """Messages end up in logs."""
    with pytest.raises(SettingError) as caught:
        load_settings({"DATABASE_URL": "mysql://someone:secret@host/x"})
    assert "secret" not in str(caught.value)


def test_code_paths_may_name_one_module() -> None:
    """And no other of its package."""
    assert callable(import_from_path("tests.unit.sample_code.Length", ["tests.unit.sample_code"]))
    with pytest.raises(EnricherError, match="outside CODE_PATHS"):
        import_from_path("tests.conftest.run_command", ["tests.unit"])


def test_bytes_that_are_no_skops_file_are_refused() -> None:
    """Even with the right SHA-256."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(ArtifactError, match="not a skops file"):
        load_teacher(Artifact(b"", empty), ["datasets"])


def test_a_number_beyond_range_is_its_items_fault() -> None:
    """Not its batch's."""
    with pytest.raises(InputError, match="out of range"):
        read_item(msgspec.Raw(b'{"age": 1e999}'))


def test_parameters_that_are_not_asked_for_are_not_looked_at() -> None:
    """Twice the same, or not UTF-8."""
    found = read_query("x=1&x=2&y=%ff&sentence=a", only=("sentence",))
    assert found == {"sentence": "a"}


def test_what_a_library_only_imports_is_not_trusted() -> None:
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
    """What rounding makes of it must not be divided by."""
    assert spread(np.full(1000, constant)) == 1.0


def test_a_student_far_outside_what_it_saw_answers_a_number() -> None:
    """Nothing that JSON cannot say."""
    spec_of_x = DatasetSpec(name="line", kind="regression", target="y", fields={"x": NumberField()})
    xs = [float(number) for number in range(50)]
    training_set = StudentTrainingSet([{"x": x} for x in xs], np.array(xs), [], np.zeros(0), [])
    _, _, data = fit_student(spec_of_x, training_set)
    assert math.isfinite(Student(data).number({"x": 1e100}))
    assert math.isfinite(Student(data).number({"x": -1e100}))


def test_large_targets_keep_their_digits_out_of_fold() -> None:
    """Seconds since 1970, say: as float32 they would be minutes off."""
    answers = np.array([1.7e9 + 1, 1.7e9 + 2])
    made = OutOfFold(
        labels=[],
        keys=b"a" * 16 + b"b" * 16,
        teacher=answers.astype(number_type([])).tobytes(),
        student=answers.astype(number_type([])).tobytes(),
    )
    assert list(made.answers("teacher").values()) == answers.tolist()


def test_a_missing_value_in_the_first_row_hides_no_column() -> None:
    """Not every row has every enrichment."""
    rows: list[dict[str, Any]] = [{"n": None, "v": None}, {"n": 2, "v": Vector.of([1, 2])}]
    kinds = {name: first_value(name, rows) for name in ("n", "v")}
    columns = columns_of(spec_without_fields(), kinds)
    table = make_table(columns, rows)
    assert columns == {"n": "number", "v": "vector"}
    assert np.isnan(table["n"][0])
    assert table["v"].tolist() == [[0, 0], [1, 2]]


def spec_without_fields() -> DatasetSpec:
    """Return a spec whose columns are enrichments alone."""
    return DatasetSpec(name="none", kind="regression", target="y", fields={})


def test_a_value_that_json_cannot_hold_is_the_enrichers_error() -> None:
    """Found where it was made."""
    with pytest.raises(TypeError):
        to_value(1j)
