"""Tests of the teacher of texts on more labelled rows than it keeps as neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.scoring.packed_numbers import Vector
from db.spec.field import TextField
from enrich.learning import text_teacher
from enrich.learning.column import Columns, make_table
from enrich.learning.teacher import candidates
from enrich.learning.training_table import Extent

from .frames import spec_of

COLUMNS: Columns = {"wish": "text", "meaning": "vector"}
# In the order of a file that is sorted by label.
LABELS = np.array(["big"] * 60 + ["huge"] * 60 + ["small"] * 60)
MEANINGS = {"big": [1.0, 0.0, 0.0], "huge": [0.0, 1.0, 0.0], "small": [0.0, 0.0, 1.0]}


def fitted() -> Any:  # noqa: ANN401
    """Return a teacher fitted on sentences, no two of which share a word."""
    extent = Extent(rows=180, records=180, labels=3, features={"wish": 0, "meaning": 3})
    spec = spec_of("classification", wish=TextField())
    (candidate,) = candidates(spec, COLUMNS, extent, ())
    rows = [
        {"wish": f"word{at} other{at}", "meaning": Vector.of(MEANINGS[label])}
        for at, label in enumerate(LABELS.tolist())
    ]
    return candidate.make().fit(make_table(COLUMNS, rows), LABELS)


def likely(teacher: Any) -> Any:  # noqa: ANN401
    """Return the probabilities of sentences of new words, one of each label's meaning."""
    asked = [{"wish": "zzz", "meaning": Vector.of(meaning)} for meaning in MEANINGS.values()]
    return teacher.predict_proba(make_table(COLUMNS, asked))


@pytest.mark.parametrize("most", [60, 179])
def test_of_too_many_rows_a_fair_sample_votes(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """The nearest ones of each label are among them, with their own labels."""
    every = fitted()
    expected = likely(every)
    monkeypatch.setattr(text_teacher, "MOST_NEAR_ROWS", most)
    some = fitted()
    assert (len(every.labels_), len(some.labels_)) == (180, most)
    assert np.bincount(some.labels_).min() >= most / 6
    assert likely(some) == pytest.approx(expected, abs=1e-3)
    monkeypatch.setattr(text_teacher, "VOTE_WEIGHT", 0.0)
    assert (np.diag(likely(some)) < np.diag(expected) - 0.05).all()
