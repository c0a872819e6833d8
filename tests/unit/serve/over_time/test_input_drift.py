"""Tests of the drift of inputs: bins of each type of field, and what is compared."""

from __future__ import annotations

import random

from db.spec.field import BooleanField, ChoiceField, DateField, Inputs, NumberField, TextField
from serve.pages.over_time.bin_bars import bin_bars
from serve.pages.over_time.field_bins import FieldBins, make_bins
from serve.pages.over_time.input_drift import field_drifts

CHANCE = random.Random(5)


def trained_counts(bins: FieldBins) -> dict[str, int]:
    """Return how many values of training fall in each bin, by its name."""
    return {bins.name(at): count for at, count in sorted(bins.trained.items())}


def test_numbers_are_counted_by_the_tenths_of_training() -> None:
    """A value at the edge belongs below it; missing values have a bin of their own."""
    [bins] = make_bins("age", NumberField(), [*range(100), None])
    assert len(bins.names) == 10
    assert set(trained_counts(bins).values()) <= {1, 9, 10, 11}
    assert bins.names[0] == "up to 10"
    assert [bins.name(bins.place(value)) for value in (10, 11, 1e9, None)] == [
        *("up to 10", "over 10 to 20", "over 90", "missing"),
    ]


def test_equal_numbers_stay_together() -> None:
    """A number that most rows have is one bin."""
    [bins] = make_bins("children", NumberField(), [0] * 80 + [3] * 20)
    assert trained_counts(bins) == {"up to 0": 80, "over 0 to 3": 20}


def test_dates_are_counted_by_ranges_of_days() -> None:
    """Text in ISO 8601 has the order of the days."""
    days = [f"2024-{month:02}-15" for month in range(1, 13)]
    [bins] = make_bins("day", DateField(), days)
    assert bins.name(bins.place("2031-01-01")) == f"over {bins.names[-1].removeprefix('over ')}"
    assert bins.place("1990-01-01") == 0


def test_a_choice_is_counted_by_value_and_rare_values_together() -> None:
    """A value that training does not have is one of the others."""
    values = [f"v{at % 14}" for at in range(100)]
    [bins] = make_bins("town", ChoiceField(), values)
    assert len(bins.names) == 11
    assert bins.name(bins.place("unheard")) == "other values"
    [bins] = make_bins("paid", BooleanField(), [True, False, True])
    assert trained_counts(bins) == {"yes": 2, "no": 1}


def test_a_field_without_values_in_training_has_a_bin_for_any_value() -> None:
    """So that values that come now are seen."""
    [bins] = make_bins("age", NumberField(), [None, None])
    assert (bins.name(bins.place(3)), bins.name(bins.place(None))) == ("any", "missing")


def test_texts_are_counted_by_length_and_by_words_that_training_does_not_have() -> None:
    """A text of training is compared with the others, and so is its copy."""
    length, new = make_bins("note", TextField(), ["good day", "good night", "day"])
    assert (length.aspect, new.aspect) == ("number of words", "words not in training")
    places = [new.name(new.place(text)) for text in ("good day", "good night", "xyzzy", "", None)]
    assert places == ["none", "up to half", "more than half", "none", "missing"]


def test_the_field_that_changed_comes_first_with_its_largest_change() -> None:
    """Chance alone gives no drift."""
    fields = {"age": NumberField(), "town": ChoiceField()}

    def row(towns: str) -> Inputs:
        return {"age": CHANCE.gauss(40, 9), "town": CHANCE.choice(towns)}

    trained = [row("LLLP") for _ in range(1000)]
    bins = [
        one
        for name, field in fields.items()
        for one in make_bins(name, field, [it[name] for it in trained])
    ]
    first, second = field_drifts(bins, [row("PPPL") for _ in range(500)])
    assert (first.field, first.drift.level) == ("town", "bad")
    assert (second.field, second.drift.level) == ("age", "fine")
    change = first.largest_change
    assert abs(change.now - change.trained) > 0.4
    few = field_drifts(bins, [row("PPPL") for _ in range(20)])
    assert {it.drift.level for it in few} == {"unknown"}


def test_each_bin_has_two_bars_and_a_title() -> None:
    """Values are escaped: they are what clients have sent."""
    [bins] = make_bins("town", ChoiceField(), ["<b>", "<b>"])
    [found] = field_drifts([bins], [{"town": "<b>"}, {"town": None}])
    svg = bin_bars(found.shares)
    assert "<title>&lt;b&gt;: 100 % in training, 50 % now</title>" in svg
    assert '<path class="student" d="M5 40v-20h5v20"/>' in svg
    assert "<b>" not in svg
