"""Tests of out-of-fold scores: no model has seen the records that it answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from scipy.special import softmax

from db.spec.field import ChoiceField, Field, NumberField, TextField
from enrich.learning.portable.boosting import BoostingSettings, TreeInputs, fit_boosting
from enrich.learning.portable.search import (
    planned_fits,
    search,
)
from enrich.learning.portable.settings import BOOSTING, table_settings, text_settings
from enrich.learning.portable.trial import (
    try_boosting,
    try_linear,
)
from tests.unit.enrich.learning.frames import silent, spec_of

from .exported import Case, case_of

Kind = Literal["classification", "regression"]
KINDS: tuple[Kind, ...] = ("classification", "regression")
WORDS = ("red", "green", "blue", "room", "view", "sea", "big", "small", "cheap")
MIXED: dict[str, Field] = {"wish": TextField(), "size": NumberField(), "town": ChoiceField()}
LINEAR = {
    kind: [
        *text_settings(is_number=kind == "regression"),
        *table_settings(is_number=kind == "regression", repeats=1, with_pairs=False),
    ]
    for kind in KINDS
}


def mixed_row(chance: random.Random) -> dict[str, Any]:
    """Return random inputs: a text, a number and a choice."""
    wish = " ".join(chance.choice(WORDS) for _ in range(4))
    return {"wish": wish, "size": chance.random(), "town": chance.choice("abcd")}


def noise(kind: Kind, seed: int, records: int = 200) -> Case:
    """Return a problem whose labels have nothing to do with the inputs."""
    chance = random.Random(seed)
    labels: Callable[[], Any] = (
        (lambda: chance.gauss(0, 1)) if kind == "regression" else (lambda: chance.choice("xy"))
    )
    rows = [{**mixed_row(chance), "y": labels()} for _ in range(records)]
    return case_of(spec_of(kind, **MIXED), rows)


def gain(case: Case, scores: Any) -> float:  # noqa: ANN401
    """Return by how many standard errors of the mean scores are better than a constant answer."""
    target = case.learning.problem.rows.target
    if target.is_number:
        losses = (scores[target.records, 0] - target.labels) ** 2
        rise = target.labels**2 - losses
    else:
        logs = np.log(softmax(scores, axis=1))
        rise = logs[target.records, target.labels] + np.log(target.width)
    return float(rise.mean() / (rise.std() / len(rise) ** 0.5))


@pytest.mark.parametrize("kind", KINDS)
def test_no_linear_model_answers_noise_better_than_a_constant(kind: Kind) -> None:
    """A model that saw the records that it answers would be right on nearly all."""
    case = noise(kind, 1)
    problem = case.learning.problem
    for settings in LINEAR[kind]:
        trial = try_linear(problem.features, problem.rows, settings, silent)
        assert gain(case, trial.scores) < 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", BOOSTING)
def test_trees_do_not_answer_noise_better_than_a_constant(
    kind: Kind, settings: BoostingSettings
) -> None:
    """Nor do those that read the scores of texts."""
    case = noise(kind, 2)
    problem = case.learning.problem
    texts = try_linear(problem.text_features, problem.rows, LINEAR[kind][0], silent)
    for scores in (None, texts.scores):
        trial = try_boosting(TreeInputs(problem.features, scores), problem.rows, settings, silent)
        assert gain(case, trial.scores) < 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_model_of_noise_is_not_better_than_a_constant(kind: Kind) -> None:
    """Choosing the best of many does not make chance into knowledge: on average of some tables."""
    gains = [
        gain(case, search(case.learning.problem, silent).scores)
        for case in (noise(kind, seed, 100) for seed in range(3))
    ]
    assert np.mean(gains) < 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_answered_by_a_model_that_has_not_seen_its_label(kind: Kind) -> None:
    """If the label of a record changes, the scores of others change, but not its own."""
    problem = noise(kind, 3, 80).learning.problem
    target = problem.rows.target
    changed = target.labels.copy()
    changed[0] = 1 - changed[0]
    other = replace(problem.rows, target=replace(target, labels=changed))
    record = target.records[0]
    is_near = problem.rows.folds == problem.rows.folds[record]
    for settings in LINEAR[kind]:
        before, after = (
            try_linear(problem.features, rows, settings, silent).scores
            for rows in (problem.rows, other)
        )
        assert (before[record] == after[record]).all()
        assert (before[~is_near] != after[~is_near]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_each_fold_is_answered_by_the_same_number_of_rounds(kind: Kind) -> None:
    """It is the number that all rows are fitted with later."""
    problem = noise(kind, 4).learning.problem
    inputs, settings = TreeInputs(problem.features), BOOSTING[0]
    trial = try_boosting(inputs, problem.rows, settings, silent)
    for train, _, records in problem.rows.each_fold():
        fitted, _ = fit_boosting(inputs, train, settings, rounds=trial.rounds)
        assert fitted.scores(records) == pytest.approx(trial.scores[records], abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_planned_work_is_what_is_done(kind: Kind) -> None:
    """A progress bar ends at its end."""
    case = noise(kind, 1, 80)
    done = list[int]()
    search(case.learning.problem, lambda _, records: done.append(records))
    assert sum(done) == planned_fits(case.learning.problem)
