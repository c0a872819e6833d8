"""Tests of the sections of a dataset's TOML file that name users' databases."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from db.errors import SpecError
from db.spec.dataset_spec import DatasetSpec
from db.spec.section import PublicationSpec, SourceSpec
from db.spec.stored_spec import decode_spec, encode_spec
from db.spec.toml_file import read_spec

SPEC = """\
name = "churn"
kind = "classification"
target = "left"
id = "customer"
[fields.age]
type = "number"
"""
SOURCE = """\
[source]
url = "SHOP_URL"
query = "SELECT * FROM customers"
"""
PUBLISH = """\
[publish]
url = "SHOP_URL"
table = "crm.churn_scores"
"""


def spec_of(tmp_path: Path, text: str) -> DatasetSpec:
    """Return the spec that a TOML file contains."""
    path = tmp_path / "churn.toml"
    path.write_text(text)
    return read_spec(path)


def test_a_spec_says_where_rows_come_from_and_where_predictions_go(tmp_path: Path) -> None:
    """A run every hour is the default."""
    spec = spec_of(tmp_path, SPEC + SOURCE + PUBLISH)
    assert spec.source == SourceSpec(url="SHOP_URL", query="SELECT * FROM customers")
    assert spec.publish == PublicationSpec(url="SHOP_URL", table="crm.churn_scores")
    assert (spec.source.every_minutes, spec.source.overlap_seconds) == (60, 300)
    assert decode_spec(encode_spec(spec)) == spec


def test_a_spec_without_these_sections_is_stored_as_before() -> None:
    """Code from before these sections can read it."""
    spec = msgspec.convert(
        {"name": "a", "kind": "regression", "target": "y", "fields": {"x": {"type": "number"}}},
        DatasetSpec,
    )
    assert not {"source", "publish"} & msgspec.json.decode(encode_spec(spec)).keys()


def test_keys_of_newer_code_in_a_stored_section_are_ignored(tmp_path: Path) -> None:
    """A store goes on working after a rollback."""
    spec = spec_of(tmp_path, SPEC + SOURCE)
    stored = msgspec.json.decode(encode_spec(spec))
    stored["source"]["newer"] = 1
    assert decode_spec(msgspec.json.encode(stored).decode()) == spec


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (SOURCE.replace("SHOP_URL", "postgresql://shop:s3cret@db/shop"), "source.url: name the"),
        (PUBLISH.replace("SHOP_URL", "s3cret@db"), "publish.url: name the environment variable"),
        (SOURCE.replace("SELECT * FROM customers", " "), "source.query: is empty"),
        (SOURCE + "every_minutes = 0\n", "source.every_minutes: must be from 1"),
        (SOURCE + "overlap_seconds = -1\n", "source.overlap_seconds: must be from 0"),
        (PUBLISH.replace("crm.churn_scores", "a; DROP TABLE b"), "publish.table: use the table"),
        (PUBLISH.replace("crm.churn_scores", "a.b.c"), "publish.table: use the table"),
        (SOURCE + "quary = 1\n", "source: unknown key `quary`"),
        ("[publish]\nurl = 'A'\n", "publish: the key `table` is missing"),
    ],
)
def test_a_wrong_section_is_refused_by_its_key(tmp_path: Path, wrong: str, words: str) -> None:
    """A URL is not repeated: it may contain a password."""
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, SPEC + wrong)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("key", ["since_column = 'updated_at'", "remove_missing = true"])
def test_changed_and_removed_rows_are_recognised_by_an_id(tmp_path: Path, key: str) -> None:
    """Without one, a changed row would be a further row."""
    spec_of(tmp_path, f"{SPEC}{SOURCE}{key}\n")
    without_id = SPEC.replace('id = "customer"', "")
    with pytest.raises(SpecError, match="needs an id"):
        spec_of(tmp_path, f"{without_id}{SOURCE}{key}\n")
