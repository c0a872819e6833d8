"""Tests of the form of a draft, and of what a browser may make of it."""

from __future__ import annotations

from typing import Any

import pytest

from db.errors import SpecError
from db.files.draft.dataset_toml import ENRICHERS as PROPOSED
from db.jobs.browser_spec import ENRICHERS, read_browser_spec
from db.queue.workers.worker_row import WorkerRow
from serve.api.problem import Refusal
from serve.pages.jobs.draft_form import MOST_SHOWN, draft_columns, edited_spec
from serve.pages.jobs.job_view import size_text
from serve.pages.jobs.upload import MOST_NAME_BYTES, safe_name
from serve.pages.jobs.worker_note import worker_note

SPEC: dict[str, Any] = {
    "name": "shop",
    "kind": "regression",
    "target": "spent",
    "id": "number",
    "id_column": "No",
    "fields": {
        "town": {"type": "choice", "choices": ["Lyon"], "optional": True, "missing": ["-"]},
        "note": {"type": "text", "column": "The note", "title": "The note"},
    },
    "enrichers": {"embedding": {"use": "", "reads": ["note"], "config": {}}},
}
DRAFT: dict[str, Any] = {
    "spec": SPEC,
    "columns": [
        {"name": "No", "type": "id", "note": "one per row", "proposed": "No", "words": "id"},
        {"name": "town", "type": "choice", "field": "town", "words": "choice"},
        {"name": "The note", "type": "text", "field": "note", "words": "text"},
        {"name": "Big size", "type": "not used", "proposed": "big_size", "words": "not used"},
    ],
}
ALL = {
    "name": "shop",
    "use-0": "on",
    "type-0": "id",
    "use-1": "on",
    "type-1": "choice",
    "use-2": "on",
    "type-2": "text",
    "type-3": "text",
}


def without(*names: str) -> dict[str, str]:
    """Return the whole form without some of its boxes."""
    return {name: value for name, value in ALL.items() if name not in names}


def test_a_form_that_nobody_has_changed_gives_the_draft() -> None:
    """The rows of the form are those of the columns."""
    rows = draft_columns(DRAFT)
    assert [(row.name, row.type, row.is_used) for row in rows] == [
        ("No", "id", True),
        ("town", "choice", True),
        ("The note", "text", True),
        ("Big size", "text", False),
    ]
    spec = edited_spec(DRAFT, ALL)
    assert spec == SPEC
    assert read_browser_spec(spec).name == "shop"


def test_columns_are_left_out_added_and_given_other_types() -> None:
    """What was known of a column's missing values stays; its choices go with the type."""
    form = {**without("use-0", "use-2"), "type-1": "text", "use-3": "on", "type-3": "integer"}
    spec = edited_spec(DRAFT, form)
    assert spec["fields"] == {
        "town": {"type": "text", "optional": True, "missing": ["-"]},
        "big_size": {
            "type": "integer",
            "optional": True,
            "title": "Big size",
            "column": "Big size",
        },
    }
    assert "id" not in spec
    assert spec["enrichers"] == {}
    read_browser_spec(spec)


def test_a_row_id_can_be_learned_from() -> None:
    """It is then a column like others."""
    spec = edited_spec(DRAFT, {**ALL, "type-0": "number"})
    assert spec["fields"]["No"] == {"type": "number", "optional": True}
    assert "id" not in spec


def test_texts_share_the_room_that_there_is() -> None:
    """Many texts are cut off sooner."""
    columns = [
        {"name": f"c{number}", "type": "text", "field": f"c{number}", "words": ""}
        for number in range(30)
    ]
    fields = {column["name"]: {"type": "text"} for column in columns}
    draft = {"spec": {**SPEC, "id": "", "id_column": "", "fields": fields}, "columns": columns}
    form = {f"use-{number}": "on" for number in range(30)}
    spec = edited_spec(draft, {"name": "shop", **form})
    assert {field["max_length"] for field in spec["fields"].values()} == {20_000 // 30}
    spec["enrichers"] = {}
    read_browser_spec(spec)


def test_columns_beyond_the_form_stay_as_they_are() -> None:
    """A table may have thousands."""
    columns = [
        {"name": f"c{number}", "type": "number", "field": f"c{number}", "words": ""}
        for number in range(MOST_SHOWN + 2)
    ]
    fields = {column["name"]: {"type": "number"} for column in columns}
    draft = {"spec": {**SPEC, "fields": fields}, "columns": columns}
    assert len(draft_columns(draft)) == MOST_SHOWN
    assert list(edited_spec(draft, {"name": "shop"})["fields"]) == ["c60", "c61"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"name": "shop"}, "use at least one column"),
        ({**ALL, "type-1": "pickle"}, "'pickle' is not a type"),
    ],
)
def test_a_form_that_makes_no_spec_is_refused(form: dict[str, str], words: str) -> None:
    """The reason is shown above the form."""
    with pytest.raises(SpecError, match=words):
        edited_spec(DRAFT, form)


def test_a_browser_can_use_what_infer_proposes_and_nothing_else() -> None:
    """Another enricher could run code or call a service, and a teacher could too."""
    assert ENRICHERS == PROPOSED
    for more in (
        {"teacher": "datasets.words.Teacher"},
        {"source": {"url": "SHOP_URL", "query": "SELECT 1"}},
        {"publish": {"url": "SHOP_URL", "table": "scores"}},
        {"flat_route": "/api/shop"},
        {"enrichers": {"web": {"use": "http", "config": {"url": "http://10.0.0.1"}}}},
        {"enrichers": {"embedding": {"use": "datasets.code.Own"}}},
        {"enrichers": {"embedding": {"config": {"model": "/srv/other"}}}},
    ):
        with pytest.raises(SpecError, match="in the browser"):
            read_browser_spec({**SPEC, **more})
    with pytest.raises(SpecError, match="name"):
        read_browser_spec({**SPEC, "name": "../etc"})


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("C:\\Users\\Léa\\my table.CSV", "my table.csv"),
        ("../../etc/passwd.csv", "passwd.csv"),
        ("a<b>\"c'.xlsx", "a_b_c_.xlsx"),
        (f"{'n' * 300}.parquet", f"{'n' * MOST_NAME_BYTES}.parquet"),
    ],
)
def test_the_name_of_a_file_is_made_safe(given: str, safe: str) -> None:
    """It becomes the name of a file on the worker, and of the download."""
    assert safe_name(given) == safe


@pytest.mark.parametrize("name", ["table", "table.csv.gz", "..csv/", ".csv"])
def test_a_name_without_a_known_format_is_refused(name: str) -> None:
    """Compressed files could be far larger than they look."""
    with pytest.raises(Refusal, match="send one that ends with"):
        safe_name(name)


def test_a_page_says_why_no_worker_works() -> None:
    """And nothing once one of them does."""
    closed = WorkerRow(state="closed", reason="other programs use 2 CPU cores")
    missing, paused, waiting = (
        worker_note([], is_paused=True),
        worker_note([closed], is_paused=True),
        worker_note([closed], is_paused=False),
    )
    assert missing is not None
    assert missing.command == "python -m enrich run"
    assert paused is not None
    assert paused.command == "python -m enrich resume"
    assert waiting is not None
    assert "other programs use 2 CPU cores" in waiting.sentence
    assert worker_note([closed, WorkerRow(state="open")], is_paused=False) is None


def test_sizes_are_short() -> None:
    """A file of a few bytes and one of a hundred MiB."""
    assert [size_text(size) for size in (100, 50 * 1024, 100 * 2**20)] == [
        "0.1 KiB",
        "50 KiB",
        "100 MiB",
    ]
