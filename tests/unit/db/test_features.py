"""Features: what a student sees of a text and of a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.features import bin_of, fold_text, text_features

french = st.text(st.sampled_from("aàâcçeéèêëiïoôuùûüyœ -'?"), max_size=30)


def test_a_text_gives_words_pairs_and_pieces_of_words() -> None:
    """Pieces are three and four characters, with the word's ends marked."""
    assert text_features("Le chat !") == {
        *("le", "chat", "le chat"),
        *("<le", "le>", "<le>"),
        *("<ch", "cha", "hat", "at>", "<cha", "chat", "hat>"),
    }


def test_a_piece_at_a_words_end_differs_from_one_within() -> None:
    """An ending says more than the same letters elsewhere."""
    assert "er>" in text_features("réserver")
    assert "er>" not in text_features("réserver".removesuffix("r") + "z")


@pytest.mark.parametrize("text", ["", "?!…", " - "])
def test_a_text_without_words_has_no_features(text: str) -> None:
    """The student then answers from its bias."""
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
    """People leave both out."""
    assert fold_text(written) == folded
    assert text_features(written) == text_features(folded)


@given(french)
def test_a_text_in_capitals_has_the_same_features(text: str) -> None:
    """Whether the accents are written or not."""
    assert text_features(text.upper()) == text_features(text)
    assert text_features(fold_text(text)) == text_features(text)


@given(french, french)
def test_features_of_a_part_are_features_of_the_whole(one: str, other: str) -> None:
    """A longer text only adds to them."""
    assert text_features(one) | text_features(other) <= text_features(f"{one} {other}")


@pytest.mark.parametrize(
    ("number", "expected"), [(-5, 0), (9.99, 0), (10, 1), (19, 1), (20, 2), (20.5, 2), (1e9, 3)]
)
def test_a_number_on_an_edge_falls_in_the_upper_bin(number: float, expected: int) -> None:
    """Training and answering agree on it."""
    assert bin_of(number, [10, 20, 30]) == expected


def test_without_edges_there_is_one_bin() -> None:
    """A number that is always the same has no quantiles."""
    assert bin_of(42, []) == 0
