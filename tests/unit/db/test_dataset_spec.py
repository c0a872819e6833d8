"""Tests of specs: what the TOML file may contain; errors name the file, the key and the fix."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from db.errors import SpecError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.stored_spec import decode_spec, encode_spec
from db.spec.toml_file import read_spec
from tests.conftest import sample_spec

HEAD = 'name = "guests"\nkind = "classification"\ntarget = "room"\n'
WISH = '[fields.wish]\ntype = "text"\n'
AGE = '[fields.age]\ntype = "integer"\n'


def spec_from(folder: Path, text: str) -> DatasetSpec:
    """Return the spec of a file with this text."""
    path = folder / "guests.toml"
    path.write_text(text, "utf-8")
    return read_spec(path)


def error_message(folder: Path, text: str) -> str:
    """Return the error about a file with this text, without the file's name."""
    with pytest.raises(SpecError) as caught:
        spec_from(folder, text)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'guests.toml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'guests.toml'}: ")


def test_a_short_spec_is_enough(tmp_path: Path) -> None:
    """It needs name, kind, target and one field; the rest has defaults."""
    spec = spec_from(tmp_path, HEAD + WISH)
    assert (spec.name, spec.kind, spec.target) == ("guests", "classification", "room")
    assert spec.required == ("wish",)
    assert (spec.remember, spec.retain_days, spec.distil_requests) == (True, 30, False)


@pytest.mark.parametrize("name", ["intents", "customers"])
def test_a_sample_spec_is_unchanged_after_it_was_stored(name: str) -> None:
    """The order of its fields, on which keys depend, is kept."""
    spec = sample_spec(name)
    decoded = decode_spec(encode_spec(spec))
    assert decoded == spec
    assert list(decoded.fields) == list(spec.fields)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path is easily mistyped."""
    with pytest.raises(SpecError, match=r"none\.toml: no such file"):
        read_spec(tmp_path / "none.toml")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """The user gets one line without a traceback."""
    with pytest.raises(SpecError, match="cannot be read"):
        read_spec(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """TOML files are always UTF-8."""
    path = tmp_path / "guests.toml"
    path.write_bytes(HEAD.encode() + 'title = "Été"\n'.encode("latin-1"))
    with pytest.raises(SpecError, match=r"guests\.toml: cannot be read as UTF-8 text"):
        read_spec(path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name = ", "at end of document"),
        (HEAD + "[fields.wish\n", "at line 4"),
        (HEAD + 'name = "b"\n', "at line 4"),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(tmp_path: Path, text: str, where: str) -> None:
    """An error at the end of the file is reported there."""
    message = error_message(tmp_path, text)
    assert message.startswith("is not TOML: ")
    assert where in message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (HEAD + 'colour = "red"\n' + WISH, "colour"),
        (HEAD + WISH + "min = 1\n", "min"),
        (HEAD + WISH + '[enrichers.long]\nread = ["wish"]\n', "read"),
    ],
)
def test_an_unknown_key_is_refused_and_named(tmp_path: Path, text: str, key: str) -> None:
    """The user would believe that an ignored key works."""
    assert f"unknown key `{key}`" in error_message(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (WISH, "name"),
        ('name = "guests"\ntarget = "room"\n' + WISH, "kind"),
        (HEAD, "fields"),
        (HEAD + "[fields.wish]\nmax_length = 3\n", "type"),
    ],
)
def test_a_missing_key_is_named(tmp_path: Path, text: str, key: str) -> None:
    """Every key without a default is required."""
    assert f"the key `{key}` is missing" in error_message(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (HEAD + 'retain_days = "30"\n' + WISH, "retain_days", "Expected `int`"),
        (HEAD + "title = 2020-01-01\n" + WISH, "title", "Expected `str`"),
        (HEAD.replace("classification", "ranking") + WISH, "kind", "'ranking'"),
        (HEAD + '[fields.wish]\ntype = "txt"\n', "type", "'txt'"),
        (HEAD + AGE + 'min = "a"\n', "min", "Expected `int"),
        (HEAD + AGE + "default = 1.5\n", "default", "Expected `int"),
        (HEAD + '[fields.wish]\ntype = "choice"\nchoices = "a"\n', "choices", "Expected `array`"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(
    tmp_path: Path, text: str, key: str, expected: str
) -> None:
    """Values are never converted from one type to another."""
    message = error_message(tmp_path, text)
    assert message.startswith("key ")
    assert key in message.split(":")[0]
    assert expected in message


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (HEAD.replace("guests", "Guests") + WISH, "name", "use a-z"),
        (HEAD.replace("guests", "g" * 41) + WISH, "name", "at most 40"),
        (HEAD.replace("guests", "a b") + WISH, "name", "use a-z"),
        (HEAD + "[fields]\n", "fields", "[fields.NAME]"),
        (HEAD.replace("room", "wish") + WISH, "target", "'wish' is also an input field"),
        (HEAD + "retain_days = 0\n" + WISH, "retain_days", "at least 1"),
        (
            HEAD.replace("classification", "regression") + 'labels = ["a"]\n' + WISH,
            "kind",
            "no labels and no flat_route",
        ),
        (HEAD + '[fields."a b"]\ntype = "text"\n', "fields.a b", "use letters"),
        (HEAD + WISH + "max_length = 0\n", "fields.wish.max_length", "at least 1"),
        (HEAD + WISH + "max_length = 20_001\n", "fields", "at most 20000"),
        (HEAD + '[fields.a]\ntype = "choice"\nstrict = true\n', "fields.a.choices", "add them"),
        (HEAD + '[fields.model]\ntype = "text"\n', "fields.model", 'column = "model"'),
        (HEAD + '[fields.a]\ntype = "number"\nformat = "1,234"\n', "fields.a.format", "1234.5"),
        ('id = "wish"\n' + HEAD + WISH, "id", "is also a field"),
        ('id = "a b"\n' + HEAD + WISH, "id", "id_column"),
        ('id_column = "b"\n' + HEAD + WISH, "id_column", "needs an id"),
        (
            HEAD + '[fields.a]\ntype = "choice"\nchoices = ["x", "x"]\n',
            "fields.a.choices",
            "contains a value twice",
        ),
        (
            HEAD + '[fields.a]\ntype = "choice"\nchoices = ["x "]\n',
            "fields.a.choices",
            "'x ' has extra white space",
        ),
    ],
)
def test_an_invalid_value_is_refused_with_its_key_and_the_fix(
    tmp_path: Path, text: str, key: str, expected: str
) -> None:
    """The error comes before any record is stored with this spec."""
    message = error_message(tmp_path, text)
    assert message.startswith(f"key {key}: ")
    assert expected in message


@pytest.mark.parametrize("role", ["default", "example"])
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (AGE + "min = 18\n", "3", "must be at least 18"),
        (AGE + "max = 18\n", "30", "must be at most 18"),
        (WISH + "max_length = 3\n", '"a view"', "has 6 characters, more than 3"),
        (WISH, '" a  view"', "write it as 'a view'"),
        ('[fields.n]\ntype = "number"\n', "nan", "must be a finite number"),
        (
            '[fields.c]\ntype = "choice"\nchoices = ["a", "b"]\nstrict = true\n',
            '"c"',
            "must be one of a, b",
        ),
    ],
)
def test_a_default_or_example_that_the_field_refuses_is_refused(
    tmp_path: Path, field: str, value: str, role: str, expected: str
) -> None:
    """Otherwise the first record would fail."""
    message = error_message(tmp_path, f"{HEAD}{field}{role} = {value}\n")
    name = field[len("[fields.") : field.index("]")]
    assert message == f"key fields.{name}.{role}: {expected}"


@pytest.mark.parametrize(
    "route",
    [
        *("/predict", "/predict/guests", "/records", "/metrics", "/health", "/api/health"),
        *("/docs", "/docs/page", "/api/docs"),
    ],
)
def test_a_flat_route_that_already_exists_is_refused(tmp_path: Path, route: str) -> None:
    """Requests to it would never reach the dataset."""
    message = error_message(tmp_path, f'{HEAD}flat_route = "{route}"\n{WISH}')
    assert message == f"key flat_route: {route} is already a route; use another"


@pytest.mark.parametrize(
    "route", ["", "/", "api/room", "/api/room/", "/API", "/a b", "/a?b", "/<x>"]
)
def test_a_flat_route_that_is_not_a_path_is_refused(tmp_path: Path, route: str) -> None:
    """The error shows a valid example."""
    message = error_message(tmp_path, f'{HEAD}flat_route = "{route}"\n{WISH}')
    assert message == "key flat_route: use a path such as /api/intent"


@pytest.mark.parametrize("fields", [AGE, WISH + AGE, WISH + 'default = "a view"\n'])
def test_a_flat_route_needs_one_required_text_field(tmp_path: Path, fields: str) -> None:
    """Its clients send only a sentence."""
    message = error_message(tmp_path, f'{HEAD}flat_route = "/api/room"\n{fields}')
    assert (
        message == "key flat_route: needs a dataset with exactly one required field, of type text"
    )


def test_a_flat_route_allows_other_fields_with_defaults(tmp_path: Path) -> None:
    """Its clients need not send those fields."""
    text = f'{HEAD}flat_route = "/api/room"\n{WISH}{AGE}default = 30\n'
    assert spec_from(tmp_path, text).flat_route == "/api/room"


@pytest.mark.parametrize(
    ("enricher", "key", "expected"),
    [
        ('[enrichers.long]\nreads = ["wishes"]\n', "enrichers.long.reads", "'wishes' is neither"),
        ('[enrichers.long]\nreads = ["long"]\n', "enrichers.long.reads", "'long' is neither"),
        ("[enrichers.prediction]\n", "enrichers.prediction", "this name is reserved"),
        ("[enrichers.wish]\n", "enrichers.wish", "a field has this name"),
        ("[enrichers.Long]\n", "enrichers.Long", "use a-z"),
    ],
)
def test_an_invalid_enricher_is_refused(
    tmp_path: Path, enricher: str, key: str, expected: str
) -> None:
    """It must read fields or other enrichers, and its name must be unique."""
    message = error_message(tmp_path, HEAD + WISH + enricher)
    assert message.startswith(f"key {key}: ")
    assert expected in message


def test_a_stored_spec_of_newer_code_is_read_without_the_keys_that_it_adds() -> None:
    """After a rollback the older code must go on serving."""
    spec = DatasetSpec(
        name="guests", kind="classification", target="room", fields={"wish": TextField()}
    )
    raw = msgspec.json.decode(encode_spec(spec))
    raw["later"], raw["fields"]["wish"]["later"] = 1, [2]
    assert decode_spec(msgspec.json.encode(raw).decode()) == spec
    raw["fields"]["place"] = {"type": "map"}
    with pytest.raises(SpecError, match="guests needs a newer version"):
        decode_spec(msgspec.json.encode(raw).decode())
