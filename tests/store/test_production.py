"""Tests of the outcomes of answers by week and version, and of how long answers are kept."""

from __future__ import annotations

import time
from functools import partial

import pytest
from sqlalchemy import func, select

from db.admin.prune import prune_store
from db.labels.production import (
    WEEK_SECONDS,
    production_summary,
    read_outcomes,
    read_production,
    start_of_week,
)
from db.labels.told_label import ToldLabel
from db.records.dataset import Dataset
from db.store import tables
from db.store.store import Store
from db.traffic import kept_answers
from db.traffic.kept_answers import DAY_SECONDS
from db.traffic.served_answers import ServedAnswer, write_answers
from tests.conftest import notes_spec, register
from tests.hand_made_student import RENTS, rents, serve_student
from tests.store.test_truth import serve, tell

NOW = time.time()
THIS_WEEK = start_of_week(NOW)


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset of sentences."""
    return register(store, notes_spec({}))


def turn_out(store: Store, dataset: Dataset, name: str, label: str, **more: object) -> None:
    """Serve an answer for inputs of that name, and tell what turned out to be true."""
    inputs = {"sentence": name}
    serve(store, dataset, inputs, f"r-{name}", **more)
    tell(store, dataset, ToldLabel(label, inputs=inputs))


def test_outcomes_are_summed_up_by_week_version_and_source(store: Store, notes: Dataset) -> None:
    """Weeks before those that are shown are left out, and so are other datasets."""
    last_week = THIS_WEEK - WEEK_SECONDS
    for name, label in (("a", "warm"), ("b", "warm"), ("c", "cold")):
        turn_out(store, notes, name, label, made_at=last_week + 5)
    turn_out(store, notes, "d", "warm", made_at=last_week, source="teacher")
    turn_out(store, notes, "e", "cold", made_at=last_week - 1, model_version=2)
    turn_out(store, notes, "f", "cold", made_at=THIS_WEEK - 13 * WEEK_SECONDS)
    again = [ToldLabel("cold", request_id=f"r{number}") for number in range(2)]
    for number in range(2):
        serve(store, notes, {"sentence": "a"}, f"r{number}", made_at=last_week + 9)
    tell(store, notes, *again)
    with store.reading() as connection:
        found = read_outcomes(connection, notes, NOW)
    assert sorted(found) == [
        (last_week - WEEK_SECONDS, 2, "student", 1, 1, 1, 1),
        (last_week, 3, "student", 5, 3, 3, 3),
        (last_week, 3, "teacher", 1, 1, 0, 0),
    ]


def test_a_regression_is_judged_against_its_training(store: Store) -> None:
    """The mean error of a version is compared with the one that its metrics have."""
    scores = {"mae": 20.0, "rmse": 25.0}
    dataset = serve_student(store, RENTS, rents(), teacher=scores, records=400)
    for area in range(20, 45):
        inputs = RENTS.read_inputs({"area": area, "town": "Lyon"})
        kept = {"prediction": "700.0", "source": "teacher", "model_version": 1}
        serve(store, dataset, inputs, f"r{area}", made_at=NOW - 1, **kept)
        tell(store, dataset, ToldLabel(repr(700.0 + area), inputs=inputs))
    with store.reading() as connection:
        [week] = read_production(connection, dataset)
        summary = production_summary(connection, dataset)
    assert (week.count, week.mean_loss, week.training_loss) == (25, 32.0, 20.0)
    assert week.limit is not None
    assert summary is not None
    assert summary.training_loss == 20.0


def test_old_answers_are_pruned_and_their_outcomes_stay(store: Store, notes: Dataset) -> None:
    """An answer is kept for 90 days."""
    turn_out(store, notes, "old", "warm", made_at=NOW - 91 * DAY_SECONDS)
    turn_out(store, notes, "new", "warm", made_at=NOW - 89 * DAY_SECONDS)
    assert prune_store(store)["answers"] == 1
    with store.reading() as connection:
        kept = connection.execute(select(tables.served_answer.c.request_id)).scalars().all()
        outcomes = connection.execute(select(func.count()).select_from(tables.outcome))
        assert (kept, outcomes.scalar_one()) == (["r-new"], 2)


def test_only_so_many_answers_of_a_dataset_are_kept(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest stay."""
    monkeypatch.setattr(kept_answers, "KEEP_ANSWERS", 3)
    given = [
        ServedAnswer(f"r{number}", b"k" * 16, "warm", 0.5, "student", 1, NOW - number)
        for number in range(5)
    ]
    store.write(partial(write_answers, dataset_id=notes.id, answers=given))
    assert prune_store(store)["answers"] == 2
    with store.reading() as connection:
        ids = connection.execute(select(tables.served_answer.c.request_id)).scalars()
        assert sorted(ids) == ["r0", "r1", "r2"]
