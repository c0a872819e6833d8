"""Specs: what a dataset's TOML may say, and that each error names file, key and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import SpecError
from db.spec.dataset_spec import DatasetSpec, decode_spec, encode_spec
from db.spec.toml_file import read_spec
from tests.conftest import sample_spec

HEAD = 'name = "guests"\nkind = "classification"\ntarget = "room"\n'
WISH = '[fields.wish]\ntype = "text"\n'
AGE = '[fields.age]\ntype = "integer"\n'


def read(folder: Path, text: str) -> DatasetSpec:
    """Return the spec of a file that says so."""
    path = folder / "guests.toml"
    path.write_text(text, "utf-8")
    return read_spec(path)


def refusal(folder: Path, text: str) -> str:
    """Return what is said of a file, after its name."""
    with pytest.raises(SpecError) as caught:
        read(folder, text)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'guests.toml'}: ")
    assert "\n" not in said
    return said.removeprefix(f"{folder / 'guests.toml'}: ")


def test_a_short_spec_is_enough(tmp_path: Path) -> None:
    """Name, kind, target and one field; the rest has defaults."""
    spec = read(tmp_path, HEAD + WISH)
    assert (spec.name, spec.kind, spec.target) == ("guests", "classification", "room")
    assert spec.required == ("wish",)
    assert (spec.remember, spec.retain_days, spec.distil_requests) == (True, 30, False)


@pytest.mark.parametrize("name", ["intents", "customers"])
def test_a_sample_reads_back_from_the_store_as_it_was(name: str) -> None:
    """With its fields in their order, on which keys rest."""
    spec = sample_spec(name)
    run_once = decode_spec(encode_spec(spec))
    assert run_once == spec
    assert list(run_once.fields) == list(spec.fields)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A path is easily mistyped."""
    with pytest.raises(SpecError, match=r"none\.toml: no such file"):
        read_spec(tmp_path / "none.toml")


def test_a_folder_is_no_spec(tmp_path: Path) -> None:
    """One line, no traceback."""
    with pytest.raises(SpecError, match="cannot be read"):
        read_spec(tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """TOML is UTF-8."""
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
def test_a_slip_in_the_toml_is_named_with_its_line(tmp_path: Path, text: str, where: str) -> None:
    """Or as standing at the file's end."""
    said = refusal(tmp_path, text)
    assert said.startswith("is not TOML: ")
    assert where in said


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (HEAD + 'colour = "red"\n' + WISH, "colour"),
        (HEAD + WISH + "min = 1\n", "min"),
        (HEAD + WISH + '[enrichers.long]\nread = ["wish"]\n', "read"),
    ],
)
def test_an_unknown_key_is_refused_by_its_name(tmp_path: Path, text: str, key: str) -> None:
    """A key that is passed over would be thought to work."""
    assert f"unknown key `{key}`" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (WISH, "name"),
        ('name = "guests"\ntarget = "room"\n' + WISH, "kind"),
        (HEAD, "fields"),
        (HEAD + "[fields.wish]\nmax_length = 3\n", "type"),
        (HEAD + '[fields.wish]\ntype = "choice"\n', "choices"),
    ],
)
def test_a_key_that_is_missing_is_named(tmp_path: Path, text: str, key: str) -> None:
    """What has no default must be there."""
    assert f"the key `{key}` is missing" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key", "mend"),
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
    tmp_path: Path, text: str, key: str, mend: str
) -> None:
    """Nothing is turned from one type into another."""
    said = refusal(tmp_path, text)
    assert said.startswith("key ")
    assert key in said.split(":")[0]
    assert mend in said


@pytest.mark.parametrize(
    ("text", "key", "mend"),
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
        (HEAD + '[fields.a]\ntype = "choice"\nchoices = []\n', "fields.a.choices", "at least one"),
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
def test_what_cannot_work_is_refused_with_its_key_and_mend(
    tmp_path: Path, text: str, key: str, mend: str
) -> None:
    """Before a single record is keyed by it."""
    said = refusal(tmp_path, text)
    assert said.startswith(f"key {key}: ")
    assert mend in said


@pytest.mark.parametrize("role", ["default", "example"])
@pytest.mark.parametrize(
    ("field", "value", "mend"),
    [
        (AGE + "min = 18\n", "3", "must be at least 18"),
        (AGE + "max = 18\n", "30", "must be at most 18"),
        (WISH + "max_length = 3\n", '"a view"', "has 6 characters, more than 3"),
        (WISH, '" a  view"', "write it as 'a view'"),
        ('[fields.n]\ntype = "number"\n', "nan", "must be a finite number"),
        ('[fields.c]\ntype = "choice"\nchoices = ["a", "b"]\n', '"c"', "must be one of a, b"),
    ],
)
def test_a_default_or_example_that_the_field_refuses_is_refused(
    tmp_path: Path, field: str, value: str, role: str, mend: str
) -> None:
    """It would fail with the first record instead."""
    said = refusal(tmp_path, f"{HEAD}{field}{role} = {value}\n")
    name = field[len("[fields.") : field.index("]")]
    assert said == f"key fields.{name}.{role}: {mend}"


@pytest.mark.parametrize(
    "route",
    [
        *("/predict", "/predict/guests", "/records", "/metrics", "/health", "/api/health"),
        *("/docs", "/docs/page", "/api/docs"),
    ],
)
def test_a_flat_route_that_is_another_route_is_refused(tmp_path: Path, route: str) -> None:
    """It would never be reached."""
    said = refusal(tmp_path, f'{HEAD}flat_route = "{route}"\n{WISH}')
    assert said == f"key flat_route: {route} is already a route; use another"


@pytest.mark.parametrize(
    "route", ["", "/", "api/room", "/api/room/", "/API", "/a b", "/a?b", "/<x>"]
)
def test_a_flat_route_that_is_no_path_is_refused(tmp_path: Path, route: str) -> None:
    """The mend shows one that is."""
    said = refusal(tmp_path, f'{HEAD}flat_route = "{route}"\n{WISH}')
    assert said == "key flat_route: use a path such as /api/intent"


@pytest.mark.parametrize("fields", [AGE, WISH + AGE, WISH + 'default = "a view"\n'])
def test_a_flat_route_needs_one_required_text(tmp_path: Path, fields: str) -> None:
    """Its clients send a sentence."""
    said = refusal(tmp_path, f'{HEAD}flat_route = "/api/room"\n{fields}')
    assert said == "key flat_route: needs a dataset with exactly one required field, of type text"


def test_a_flat_route_may_stand_beside_fields_with_defaults(tmp_path: Path) -> None:
    """Its clients need not send those."""
    text = f'{HEAD}flat_route = "/api/room"\n{WISH}{AGE}default = 30\n'
    assert read(tmp_path, text).flat_route == "/api/room"


@pytest.mark.parametrize(
    ("enricher", "key", "mend"),
    [
        ('[enrichers.long]\nreads = ["wishes"]\n', "enrichers.long.reads", "'wishes' is neither"),
        ('[enrichers.long]\nreads = ["long"]\n', "enrichers.long.reads", "'long' is neither"),
        ("[enrichers.prediction]\n", "enrichers.prediction", "this name is reserved"),
        ("[enrichers.wish]\n", "enrichers.wish", "a field has this name"),
        ("[enrichers.Long]\n", "enrichers.Long", "use a-z"),
    ],
)
def test_an_enricher_that_cannot_be_meant_is_refused(
    tmp_path: Path, enricher: str, key: str, mend: str
) -> None:
    """It reads fields and other enrichers, and bears a name of its own."""
    said = refusal(tmp_path, HEAD + WISH + enricher)
    assert said.startswith(f"key {key}: ")
    assert mend in said
