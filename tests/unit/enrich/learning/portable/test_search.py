"""Tests of the search for the best portable model: what it chooses, and that it is honest."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from scipy.special import softmax

from db.spec.field import ChoiceField, DateField, Field, NumberField, TextField
from enrich.learning.portable.linear_model import LinearSettings
from enrich.learning.portable.search import (
    MOST_SCANNED,
    fit_found,
    loss_of,
    planned_fits,
    search,
)
from enrich.learning.portable.trial import (
    LinearTrial,
)
from enrich.learning.quality.calibration import calibration_error
from tests.unit.enrich.learning.frames import silent, spec_of

from .exported import Case, case_of

Kind = Literal["classification", "regression"]
WORDS = ("red", "green", "blue", "room", "view", "sea", "big", "small", "cheap")


def test_the_kind_of_model_fits_the_table() -> None:
    """A line for a line, trees for steps that interact, and texts for texts."""
    chance = random.Random(4)
    fields = {"left": NumberField(), "right": NumberField()}
    rows = [{"left": chance.random(), "right": chance.random()} for _ in range(300)]
    line = [{**row, "y": row["left"] - 2 * row["right"]} for row in rows]
    steps = [{**row, "y": (row["left"] > 0.5) != (row["right"] > 0.3)} for row in rows]
    texts = [{"wish": wish, "y": "red" in wish} for wish in (_wish(chance) for _ in range(300))]
    names = [
        search(case_of(spec, table).learning.problem, silent).name
        for spec, table in (
            (spec_of("regression", **fields), line),
            (spec_of("classification", **fields), steps),
            (spec_of("classification", wish=TextField()), texts),
        )
    ]
    assert names[0] == "linear"
    assert "gradient-boosting" in names[1]
    assert names[2] == "linear"


def _wish(chance: random.Random) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(6))


def line_and_steps(count: int = 300) -> Case:
    """Return a problem of which a line explains one half and steps the other."""
    chance, rows = random.Random(5), []
    for _ in range(count):
        row = {name: chance.random() for name in "abcdef"}
        steps = 1.5 * ((row["e"] > 0.5) != (row["f"] > 0.5))
        line = 3 * sum(row[name] for name in "abcd")
        rows.append({**row, "y": line + steps + chance.gauss(0, 0.3)})
    return case_of(spec_of("regression", **{name: NumberField() for name in "abcdef"}), rows)


def test_the_sum_of_two_models_is_chosen_where_it_is_better() -> None:
    """Its scores are those of the parts, each with its factor."""
    case = line_and_steps()
    problem = case.learning.problem
    found = search(problem, silent)
    assert found.name.endswith(" + gradient-boosting")
    assert found.linear is not None
    assert found.boosted is not None
    assert found.linear_factor + found.boosted_factor == pytest.approx(1)
    parts = found.linear_factor * found.linear.scores + found.boosted_factor * found.boosted.scores
    assert found.scores == pytest.approx(parts)
    target = problem.rows.target
    alone = min(loss_of(one.scores, target) for one in (found.linear, found.boosted))
    assert loss_of(found.scores, target) < alone
    assert case.difference(fit_found(problem, found)) < 1e-6


def test_out_of_fold_scores_foretell_the_loss_on_new_rows() -> None:
    """What was measured while choosing is what is answered later."""
    case, fresh = line_and_steps(), line_and_steps(1300)
    problem = case.learning.problem
    found = search(problem, silent)
    student = case.student(fit_found(problem, found))
    numbers = fresh.learning.scale.to_numbers(fresh.learning.problem.rows.target.labels)
    errors = [
        (student.number(inputs) - number) ** 2
        for inputs, number in list(zip(fresh.inputs, numbers, strict=True))[300:]
    ]
    expected = loss_of(found.scores, problem.rows.target) * case.learning.scale.deviation**2
    assert 0.6 * expected < np.mean(errors) < 1.1 * expected


def test_a_label_of_a_single_record_does_not_spoil_the_others_probabilities() -> None:
    """No model can answer it while it is held out; the others stay as certain as they are right."""
    chance, rows = random.Random(6), []
    for at in range(200):
        size = chance.random()
        high = (size > 0.5) != (chance.random() < 0.05)
        rows.append({"size": size, "y": f"odd {at}" if at < 6 else f"high {high}"})
    case = case_of(spec_of("classification", size=NumberField()), rows)
    target = case.learning.problem.rows.target
    found = search(case.learning.problem, silent)
    probabilities = softmax(found.scores, axis=1)[target.records]
    assert probabilities.max(axis=1).mean() > 0.88
    assert calibration_error(probabilities, target.labels) < 0.06


def test_probabilities_are_calibrated_by_one_factor() -> None:
    """A margin is no logarithm of odds."""
    chance, rows = random.Random(7), []
    for _ in range(400):
        wish = _wish(chance)
        likely = 0.9 if "red" in wish else 0.2
        rows.append({"wish": wish, "y": chance.random() < likely})
    case = case_of(spec_of("classification", wish=TextField()), rows)
    target = case.learning.problem.rows.target
    found = search(case.learning.problem, silent)
    assert found.linear is not None
    assert found.linear_factor != 1
    raw, calibrated = (
        calibration_error(softmax(scores, axis=1)[target.records], target.labels)
        for scores in (found.linear.scores, found.scores)
    )
    assert calibrated < max(raw, 0.06)
    assert loss_of(found.scores, target) <= loss_of(found.linear.scores, target)


ODD: dict[str, tuple[Kind, dict[str, Field], int, Callable[[int], dict[str, Any]]]] = {
    "one field of twenty rows": (
        "classification", {"a": NumberField()}, 20, lambda at: {"a": at, "y": at % 2},
    ),
    "twenty numbers": (
        "regression", {"a": NumberField()}, 20, lambda at: {"a": at, "y": 2 * at},
    ),
    "constant columns": (
        "regression", {"a": NumberField(), "b": ChoiceField(), "c": NumberField()}, 80,
        lambda at: {"a": 1, "b": "k", "c": at, "y": at},
    ),
    "columns without a value": (
        "classification",
        {"a": NumberField(optional=True), "b": ChoiceField(optional=True), "c": NumberField()},
        80, lambda at: {"a": None, "b": None, "c": at, "y": at > 40},
    ),
    "dates and texts without a value": (
        "regression",
        {"a": DateField(optional=True), "b": TextField(optional=True), "c": NumberField()},
        80, lambda at: {"a": None, "b": None, "c": at, "y": int(at > 40)},
    ),
    "a constant target": (
        "regression", {"a": NumberField(), "b": ChoiceField()}, 80,
        lambda at: {"a": at, "b": "xyz"[at % 3], "y": 7},
    ),
    "labels of one record each": (
        "classification", {"a": NumberField(), "b": ChoiceField()}, 80,
        lambda at: {"a": at, "b": "xyz"[at % 3], "y": f"l{at}" if at < 12 else "usual"},
    ),
    "many columns": (
        "regression", {f"c{at}": NumberField() for at in range(300)}, 60,
        lambda at: {**{f"c{place}": (at * place) % 11 for place in range(300)}, "y": at},
    ),
    "extreme numbers": (
        "regression", {"a": NumberField(), "b": NumberField()}, 80,
        lambda at: {"a": (-1) ** at * 10.0**at, "b": 1e-300 * at, "y": 1e100 * (at % 7) / 7},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_are_trained(name: str) -> None:
    """The student answers as the model, and with finite numbers."""
    kind, fields, count, make = ODD[name]
    case = case_of(spec_of(kind, **fields), [make(at) for at in range(count)])
    found = search(case.learning.problem, silent)
    assert np.isfinite(found.scores).all()
    assert case.difference(fit_found(case.learning.problem, found)) < 1e-6


def test_rows_that_repeat_a_few_records_are_learnt_from_all_of_them() -> None:
    """Of two records one is left in each fold: the answer is its label."""
    rows = [{"trip": "work", "y": "big"}] * 19 + [{"trip": "fun", "y": "small"}]
    case = case_of(spec_of("classification", trip=ChoiceField()), rows)
    found = search(case.learning.problem, silent)
    answers = {
        inputs["trip"]: case.learning.names[at]
        for inputs, at in zip(case.inputs, found.scores.argmax(axis=1), strict=True)
    }
    assert answers == {"work": "small", "fun": "big"}


def test_a_choice_of_thousands_of_values_is_learnt() -> None:
    """Its weights are shrunk, and the frequent ones count."""
    chance, rows = random.Random(8), []
    for at in range(1500):
        town = at % 1100 if at % 2 else at % 20
        y = (100 if town % 2 else 0) + chance.gauss(0, 5)
        rows.append({"town": f"town {town}", "area": chance.random(), "y": y})
    case = case_of(spec_of("regression", town=ChoiceField(), area=NumberField()), rows)
    found = search(case.learning.problem, silent)
    assert loss_of(found.scores, case.learning.problem.rows.target) < 0.3


def test_settings_are_chosen_on_a_sample_of_many_records() -> None:
    """The chosen ones are then tried on all; the planned work is what is done."""
    chance, records = random.Random(9), MOST_SCANNED + 400
    rows = [{"wish": f"{_wish(chance)} {at}", "y": at % 7} for at in range(records)]
    case = case_of(spec_of("regression", wish=TextField()), rows)
    done = list[tuple[str, int]]()
    found = search(case.learning.problem, lambda note, some: done.append((note, some)))
    assert {some for _, some in done} == {MOST_SCANNED, records}
    assert sum(some for _, some in done) == planned_fits(case.learning.problem)
    assert found.scores.shape == (records, 1)
    assert (found.scores != 0).all()


def test_settings_are_compared_after_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Margins that tell labels apart are better than fair logarithms of odds that hardly do."""
    rows = [{"wish": f"w{at}", "size": at, "y": "xy"[at % 2]} for at in range(40)]
    case = case_of(spec_of("classification", wish=TextField(), size=NumberField()), rows)
    labels = case.learning.problem.rows.target.labels
    sign = (2.0 * labels - 1) * np.where(np.arange(40) % 8, 1, -1)

    def attempt(
        _features: object, _rows: object, settings: LinearSettings, _progress: object
    ) -> LinearTrial:
        margin = 0.05 * sign if settings.loss == "margin" else 0.3 * (2.0 * labels - 1)
        noise = 0 if settings.loss == "margin" else np.where(np.arange(40) % 3, 0, -1) * margin * 2
        return LinearTrial(settings, np.column_stack([-margin - noise, margin + noise]))

    monkeypatch.setattr("enrich.learning.portable.search.try_linear", attempt)
    found = search(case.learning.problem, silent)
    assert found.linear is not None
    assert found.linear.settings.loss == "margin"
    assert found.linear_factor > 5
