"""Tests of labels as the pages show them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from db.errors import InputError
from db.records.listings.listing import ListedRecord, ListingPage
from db.records.listings.listing_filter import ListingFilter
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from serve.pages.formatting import (
    LONG_LABELS,
    LONG_TITLE,
    label_text,
    labels_text,
    summary_note,
    trained_rows,
)
from serve.pages.records.listing_output import as_csv, as_json
from serve.pages.records.listing_query import ListingQuery, read_listing_query


def test_a_few_labels_are_shown_as_they_are() -> None:
    """Each has its count."""
    assert labels_text({"no": 1364, "yes": 126}, regression=False)[0] == "no ×1,364, yes ×126"
    assert labels_text({"640.0": 1, "702.5": 1}, regression=True)[0] == "640, 702.5"
    assert labels_text({}, regression=False) == ("", "")


def test_many_labels_are_shortened_and_the_title_has_more() -> None:
    """Many numbers are shown as their range."""
    words = {f"a long label {number}": 1 for number in range(300)}
    short, full = labels_text(words, regression=False)
    assert (len(short), len(full)) == (LONG_LABELS, LONG_TITLE)
    assert full.startswith(short[:-1])
    numbers = {f"{number}.0": 2 for number in range(15, 21)}
    short, full = labels_text(numbers, regression=True)
    assert short == "15 to 20, 12 rows"
    assert full.startswith("15 ×2, 16 ×2")


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (None, "–"),
        ("30.0", "30"),
        ("1.2e-07", "1.2e-07"),
        ("123456789.25", "123456789.25"),
        (repr(1967 / 3), "655.666666666667"),
        (repr(0.1 + 0.2), "0.3"),
    ],
)
def test_a_number_is_shown_without_the_digits_that_a_float_adds(
    label: str | None, text: str
) -> None:
    """A small number is not rounded to 0."""
    assert label_text(label, regression=True) == text


def test_a_word_is_shown_as_it_is() -> None:
    """It may look like a number."""
    assert label_text("007", regression=False) == "007"


@pytest.mark.parametrize(
    ("labels", "kind", "note"),
    [
        ({}, "classification", ""),
        ({"yes": 1}, "classification", ""),
        ({"yes": 1200}, "classification", "in all 1,200 rows"),
        ({"yes": 2, "no": 1}, "classification", "the most frequent of 3 rows"),
        ({"1.0": 2, "2.0": 1}, "regression", "the mean of 3 rows"),
    ],
)
def test_the_label_of_a_record_says_what_it_sums_up(
    labels: dict[str, int], kind: str, note: str
) -> None:
    """A single row needs no remark."""
    assert summary_note(labels, regression=kind == "regression") == note


def test_a_model_names_its_rows_and_its_records_where_they_differ() -> None:
    """An older model knows only its rows."""
    assert trained_rows({"rows": 1490, "records": 126}) == "1,490 labelled rows of 126 records"
    assert trained_rows({"rows": 12, "records": 12}) == "12 labelled rows"
    assert trained_rows({"rows": 12}) == "12 labelled rows"


NOTES = DatasetSpec(
    name="notes", kind="classification", target="tone", fields={"text": TextField(optional=True)}
)
PAGE = ListingPage(
    [
        ListedRecord(
            key="00" * 16,
            inputs={"text": None},
            label="calm",
            labels={"calm": 2, "angry": 1},
            origin="import",
            made_at=0.0,
            answer="calm",
            score=0.5,
            held_out=False,
            issue=None,
            group=None,
        )
    ]
)


def test_a_listing_has_the_count_of_each_label_as_json_and_all_as_csv() -> None:
    """The label that sums them up stays where it was."""
    (record,) = json.loads(as_json("notes", ListingQuery(ListingFilter()), PAGE))["records"]
    assert (record["label"], record["labels"]) == ("calm", {"calm": 2, "angry": 1})
    (row,) = csv.DictReader(io.StringIO(b"".join(as_csv(NOTES, [PAGE.rows])).decode()))
    assert (row["text"], row["tone"], row["labels"]) == ("", "calm", "calm ×2, angry")


def test_a_row_is_asked_for_alone() -> None:
    """A filter beside it would be ignored."""
    query = read_listing_query({"row": "17", "format": "csv", "rows": "5"})
    assert (query.row, query.path("notes")) == ("17", "/records/notes?rows=5&format=csv&row=17")
    for name in ("show", "label", "prediction", "after"):
        value = "all" if name == "show" else "a"
        with pytest.raises(InputError, match=f"row: names one row; leave out {name}"):
            read_listing_query({"row": "17", name: value})
