"""Tests of what the metrics of a model warn of."""

from __future__ import annotations

import pytest

from db.versions.model_verdict import WARNING_TEXTS, gain_over_guessing, model_warnings
from serve.pages.models.verdict_text import WARNING_TEXTS as PAGE_TEXTS
from serve.pages.models.verdict_text import warning_sentences
from tests.two_versions import label_metrics, number_metrics


def test_an_accuracy_no_better_than_guessing_is_warned_of() -> None:
    """A macro-F1 a little above that of guessing is no reason to be silent."""
    metrics = {**label_metrics([[6680, 3], [3315, 2]]), "beats_baseline": False}
    first, *rest = model_warnings(metrics)
    assert first.kind == "accuracy_is_chance"
    assert "right for 66.8% of the rows, and always answering happy" in first.sentence
    assert not rest


def test_probabilities_that_say_something_are_mentioned() -> None:
    """Of a rare label a probability may be useful where the answer never is."""
    kinds = [one.kind for one in model_warnings(label_metrics([[95, 0], [5, 0]]))]
    assert kinds == ["accuracy_is_chance_but_ranks", "labels_never_found"]


def test_a_good_model_has_no_warning() -> None:
    """It is right much more often than the most frequent label."""
    assert model_warnings(label_metrics([[45, 5], [5, 45]])) == []


def test_labels_that_are_never_found_are_named() -> None:
    """Beyond five, their number is enough."""
    metrics = label_metrics([[45, 5], [5, 45]])
    metrics["teacher"]["labels"] |= {f"rare{at}": {"recall": 0.0, "rows": 2} for at in range(7)}
    metrics["teacher"]["labels"]["absent"] = {"recall": 0.0, "rows": 0}
    (warning,) = model_warnings(metrics)
    assert warning.sentence.endswith("their recall is 0: rare0, rare1, rare2, rare3, rare4 (+2).")


def test_the_gain_over_guessing_is_paired() -> None:
    """Of 100 rows the model gets 30 more right and 10 fewer than the most frequent label."""
    gain = gain_over_guessing(label_metrics([[40, 10], [20, 30]]))
    assert gain.change == pytest.approx(0.2)
    assert gain.error == pytest.approx(((0.4 - 0.04) / 100) ** 0.5)


def test_rows_of_few_records_are_more_likely_chance() -> None:
    """Rows of one record are not independent."""
    metrics = {**label_metrics([[70, 0], [22, 8]]), "records": 20}
    assert [one.kind for one in model_warnings(metrics)] == ["accuracy_is_chance_but_ranks"]
    assert not model_warnings({**metrics, "records": 100})


def test_a_regression_that_explains_nothing_is_warned_of() -> None:
    """So is one of an earlier release, which has no comparison with the baseline."""
    (warning,) = model_warnings(number_metrics(10.0, r2=-0.01))
    assert "explains 0.0% of the variance" in warning.sentence
    earlier = number_metrics(10.0, r2=-0.01)
    del earlier["beats_baseline"]
    assert model_warnings(earlier) == [warning]
    assert model_warnings(number_metrics(1.0)) == []


def test_metrics_that_say_nothing_give_no_warning() -> None:
    """Nothing is known of the model, and nothing is said."""
    assert model_warnings({}) == model_warnings({"teacher": {"accuracy": 0.1}}) == []


def test_pages_translate_the_same_sentences() -> None:
    """The catalogue is made of the texts of the pages."""
    assert PAGE_TEXTS == WARNING_TEXTS
    metrics = label_metrics([[95, 0], [5, 0]])
    assert warning_sentences(metrics)[0].startswith("Its answers do not beat guessing")
