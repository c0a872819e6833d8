"""Tests of the scores of normed texts, as a whole and word by word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.features import count_features
from db.scoring.linear.text_scorer import TextScorer
from db.scoring.linear.word_weights import WordWeights
from db.scoring.student_data import NormedTextPart
from tests.unit.db.scoring.random_students import LARGEST, SENTENCES, SHIFT, packed
from tests.unit.db.scoring.student_reference import part_scores

texts = st.none() | st.sampled_from(SENTENCES) | st.text(max_size=60)
weights = st.integers(-LARGEST - 1, LARGEST)


def hotel(power: float = 1.0) -> TextScorer:
    """Return a scorer of two classes; the square of each feature is 4, of the mark 16."""
    rows = {
        "sea": (8, 0, 4),
        "=se": (4, -4, 4),
        "^sea": (2, 0, 4),
        "sea view": (0, 6, 4),
        "sea * sun": (0, 10, 4),
        "!": (12, 0, 16),
        "|4": (0, 20, 4),
        "": (-8, 8, 4),
    }
    whole = packed(weight * 2**8 for row in rows.values() for weight in row)
    return TextScorer(NormedTextPart([*rows], whole, power), 2, 8)


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("sun", [0.0, 0.0]),
        (None, [-4.0, 4.0]),
        ("the sea", [(8 + 4) / 8**0.5, -4 / 8**0.5]),
        ("SÉA", [(8 + 4 + 2) / 12**0.5, -4 / 12**0.5]),
        ("?!", [12 / 4, 0.0]),
        ("sea sea sea", [(8 + 4 + 2) / 12**0.5, -4 / 12**0.5]),
        # The gram occurs in two distinct words.
        ("the sea seat", [(8 + 4 + 4) / 12**0.5, -8 / 12**0.5]),
    ],
)
def test_sums_of_weights_are_divided_by_the_norm(text: str | None, scores: list[float]) -> None:
    """A text without any known feature has no norm, and scores nothing."""
    assert hotel().scores(text) == pytest.approx(scores)


@pytest.mark.parametrize(("power", "divisor"), [(0.0, 1.0), (0.5, 4.0**0.5), (2.0, 16.0)])
def test_the_norm_has_a_power(power: float, divisor: float) -> None:
    """With 0 the norm does not count; with 2 the divisor is the sum of squares."""
    assert hotel(power).scores("!") == pytest.approx([12 / divisor, 0.0])


def test_what_belongs_to_a_word_or_a_pair_is_shown_under_it() -> None:
    """Words at the ends are these words; pairs with one word in between are shown with dots."""
    amounts = hotel(power=0.0).scores_of_words("sea view sun fun air!")
    assert amounts == {
        "sea": [14.0, -4.0],
        "view": [0.0, 0.0],
        "sun": [0.0, 0.0],
        "fun": [0.0, 0.0],
        "air": [0.0, 0.0],
        "sea view": [0.0, 6.0],
        "sea … sun": [0.0, 10.0],
        None: [12.0, 20.0],
    }
    assert hotel().scores_of_words(None) == {None: [-4.0, 4.0]}


@given(st.data(), texts, st.sampled_from([0.0, 0.7, 1.0, 2.0]), st.integers(1, 5))
def test_any_text_scores_as_the_reference_and_its_words_add_up(
    data: st.DataObject, text: str | None, power: float, width: int
) -> None:
    """Any weights, even squares below zero; any script."""
    known = sorted(count_features(text)) if text is not None else [""]
    names = [name for name in known if data.draw(st.booleans())]
    count = len(names) * (width + 1)
    whole = packed(data.draw(st.lists(weights, min_size=count, max_size=count)))
    part = NormedTextPart(names, whole, power)
    scorer = TextScorer(part, width, SHIFT)
    scores = scorer.scores(text)
    assert scores == pytest.approx(part_scores(part, width, SHIFT, text), rel=1e-9)
    assert scorer.scores(text) == scores
    words = scorer.scores_of_words(text)
    sums = [sum(column) for column in zip(*words.values(), strict=True)] or [0.0] * width
    sizes = [sum(map(abs, column)) for column in zip(*words.values(), strict=True)] or [0.0]
    assert sums == pytest.approx(scores, rel=1e-9, abs=1e-9 * max(sizes))


def test_a_word_is_remembered_only_for_its_own_field() -> None:
    """Two fields may give the same word different weights."""
    one = TextScorer(NormedTextPart(["sea"], packed([1, 1]), 1.0), 1, 0)
    other = TextScorer(NormedTextPart(["sea"], packed([5, 1]), 1.0), 1, 0)
    assert [one.scores("sea"), other.scores("sea"), one.scores("sea")] == [[1.0], [5.0], [1.0]]


@pytest.mark.parametrize("length", [50, 51, 400])
def test_a_long_word_scores_the_same_each_time(length: int) -> None:
    """What cuts it into n-grams is not kept."""
    word = "sea" * 16 + "x" * (length - 48)
    part = NormedTextPart([word, "=se"], packed([1, 1, 1, 1]), 1.0)
    scorer = TextScorer(part, 1, 0)
    expected = part_scores(part, 1, 0, word)
    assert scorer.scores(word) == pytest.approx(expected)
    assert scorer.scores(word) == pytest.approx(expected)
    assert scorer.scores_of_words(word)[word] == pytest.approx(expected)


def test_only_words_of_training_are_remembered() -> None:
    """Others take no memory after their answer, however many come."""
    weights = WordWeights({"sea": 1}, {"se": 10, "<sea": 100})
    assert [weights["sea"], weights["seat"], weights["air"]] == [111, 110, 0]
    assert weights == {"sea": 111}
