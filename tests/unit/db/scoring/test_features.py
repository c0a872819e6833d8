"""Tests of features: what a student sees of a text and of a number."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.features import (
    bin_of,
    count_features,
    date_of_days,
    fold_text,
    text_features,
    with_date_parts,
    word_feature,
)
from db.scoring.student_data import MISSING

french = st.text(st.sampled_from("aàâcçeéèêëiïoôuùûüyœ -'?"), max_size=30)


def test_a_text_gives_words_pairs_and_pieces_of_words() -> None:
    """Pieces have three or four characters, with < and > at the ends of a word."""
    assert text_features("Le chat !") == {
        *("le", "chat", "le chat"),
        *("<le", "le>", "<le>"),
        *("<ch", "cha", "hat", "at>", "<cha", "chat", "hat>"),
    }


def test_a_piece_at_the_end_of_a_word_differs_from_one_inside() -> None:
    """An ending carries more meaning than the same letters elsewhere."""
    assert "er>" in text_features("réserver")
    assert "er>" not in text_features("réserver".removesuffix("r") + "z")


@pytest.mark.parametrize("text", ["", "?!…", " - "])
def test_a_text_without_words_has_no_features(text: str) -> None:
    """The student then answers from its bias alone."""
    assert text_features(text) == set()


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("HÔTEL", "hotel"),
        ("Ça coûte", "ca coute"),
        ("e\u0301te\u0301", "ete"),
        ("Œuvre", "œuvre"),
        ("plain", "plain"),
    ],
)
def test_case_and_accents_are_dropped(written: str, folded: str) -> None:
    """People often leave both out."""
    assert fold_text(written) == folded
    assert text_features(written) == text_features(folded)


def test_every_latin_letter_is_folded_as_its_parts_say() -> None:
    """The shorter way for texts of Western Europe gives what Unicode's decomposition does."""
    for letter in map(chr, range(256)):
        parts = unicodedata.normalize("NFD", letter.lower())
        bare = "".join(part for part in parts if not unicodedata.combining(part))
        assert fold_text(f"a{letter}") == f"a{bare}"
        # The other way: this text has a letter that is not a Latin one.
        assert fold_text(f"œ{letter}") == f"œ{bare}"


@given(french)
def test_a_text_in_capitals_has_the_same_features(text: str) -> None:
    """Accents may be written or left out."""
    assert text_features(text.upper()) == text_features(text)
    assert text_features(fold_text(text)) == text_features(text)


@given(french, french)
def test_a_text_has_all_features_of_its_parts(first: str, second: str) -> None:
    """A longer text only adds features."""
    assert text_features(first) | text_features(second) <= text_features(f"{first} {second}")


def test_a_counted_text_gives_words_grams_pairs_and_its_shape() -> None:
    """Grams have two or four characters; a text has ends, marks and a number of words."""
    assert dict(count_features("Le chat dort !")) == {
        **dict.fromkeys(("le", "=<l", "=le", "=e>", "=<le>"), 1),
        **dict.fromkeys(("chat", "=<c", "=ch", "=ha", "=at", "=t>"), 1),
        **dict.fromkeys(("=<cha", "=chat", "=hat>"), 1),
        **dict.fromkeys(("dort", "=<d", "=do", "=or", "=rt", "=<dor", "=dort", "=ort>"), 1),
        "=t>": 2,
        **dict.fromkeys(("le chat", "chat dort", "le * dort"), 1),
        **dict.fromkeys(("^le", "dort$", "^^le chat", "!", "|2"), 1),
    }


def test_a_gram_counts_once_for_each_place_in_each_distinct_word() -> None:
    """A word that is repeated counts once."""
    counts = count_features("mama mamie mama")
    assert counts["=ma"] == 3
    assert counts["mama"] == counts["=<mam"] - 1 == counts["mama mamie"] == 1


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("", {"|0"}),
        ("?!?", {"?", "!", "|0"}),
        ("un", {"|0"}),
        ("un deux", {"|1"}),
        ("un deux trois quatre cinq", {"|4"}),
        ("a " * 12, {"|5"}),
        ("a " * 13, {"|6"}),
        ("a " * 21, {"|7"}),
        ("24 €", {"#", "€", "|0"}),
    ],
)
def test_the_shape_of_a_text_is_its_marks_digits_and_length(text: str, shape: set[str]) -> None:
    """Marks count once; lengths are told apart up to twenty words."""
    kinds = "|#?!.,;:€$%@…"
    assert {name for name in count_features(text) if name[0] in kinds} == shape


@given(french)
def test_capitals_and_accents_do_not_change_what_is_counted(text: str) -> None:
    """As with the features that are not counted."""
    assert count_features(fold_text(text).upper()) == count_features(text)


@given(st.text())
def test_no_feature_of_a_text_is_that_of_a_missing_one(text: str) -> None:
    """A missing text has a weight of its own."""
    assert MISSING not in count_features(text)
    assert MISSING not in text_features(text)


@pytest.mark.parametrize(
    ("value", "feature"), [("fun", "fun"), (True, "True"), (None, MISSING), ("", MISSING)]
)
def test_a_choice_has_one_feature(value: str | bool | None, feature: str) -> None:  # noqa: FBT001
    """A missing one is the empty text."""
    assert word_feature(value) == feature


@pytest.mark.parametrize(
    ("number", "expected"), [(-5, 0), (9.99, 0), (10, 1), (19, 1), (20, 2), (20.5, 2), (1e9, 3)]
)
def test_a_number_on_an_edge_belongs_to_the_upper_bin(number: float, expected: int) -> None:
    """Training and prediction must use the same rule."""
    assert bin_of(number, [10, 20, 30]) == expected


def test_without_edges_there_is_one_bin() -> None:
    """A number that is always the same has no quantiles."""
    assert bin_of(42, []) == 0


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        (0, "1970-01-01"),
        (19723, "2024-01-01"),
        (-1, "1969-12-31"),
        (19723 + 1 / 3, "2024-01-01T08:00"),
    ],
)
def test_days_since_1970_are_shown_as_a_date(days: float, shown: str) -> None:
    """A time of day is shown to the minute, and midnight not at all."""
    assert date_of_days(days) == shown


def test_a_date_adds_its_parts_under_names_with_a_point() -> None:
    """The hour is there if the field has a time of day; parts of a missing date are missing."""
    values = with_date_parts(
        {"day": "2024-02-29", "seen": "2024-03-01T23:30:00", "gone": None},
        {"day": False, "seen": True, "gone": False},
    )
    parts = ("days", "year", "day", "month", "weekday")
    assert [values[f"day.{part}"] for part in parts] == [19782, 2024, 29, "02", "4"]
    assert values["seen.hour"] == "23"
    assert "day.hour" not in values
    assert [values[f"gone.{part}"] for part in parts] == [None] * 5
