"""Tests of features: what a student sees of a text and of a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.features import bin_of, date_of_days, fold_text, text_features, with_date_parts

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


@given(french)
def test_a_text_in_capitals_has_the_same_features(text: str) -> None:
    """Accents may be written or left out."""
    assert text_features(text.upper()) == text_features(text)
    assert text_features(fold_text(text)) == text_features(text)


@given(french, french)
def test_a_text_has_all_features_of_its_parts(first: str, second: str) -> None:
    """A longer text only adds features."""
    assert text_features(first) | text_features(second) <= text_features(f"{first} {second}")


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
