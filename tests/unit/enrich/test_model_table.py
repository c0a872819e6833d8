"""Tests of the table of a model's versions."""

from __future__ import annotations

import io
from typing import Any

import pytest

from db.cli.terminal.colour import without_colours
from db.records.dataset import Dataset
from db.records.models.trained_model import Model
from enrich.commands.model_table import format_models
from tests.conftest import sample_spec
from tests.unit.db.terminal.screen import make_screen

LABELS = {"accuracy": 0.7942, "macro": {"f1": 0.7921}}
NUMBERS = {"mse": 4.0, "rmse": 1234.5, "r2": 0.5}


def model_of(version: int, score: dict[str, Any], *, active: bool = False) -> Model:
    """Return a version whose teacher and student have this score."""
    metrics = {"teacher": score, "student": score}
    reads = {"language": "1", "text_profile": "2", "embedding": "3"} if active else {}
    return Model(version, version, active, 0.0, metrics, reads, "", "", kept=active)


@pytest.fixture
def dataset() -> Dataset:
    """Return a dataset of the store."""
    return Dataset(1, sample_spec("intents"), (), 1)


def test_versions_are_a_table_with_the_scores_of_teacher_and_student(dataset: Dataset) -> None:
    """A dataset that has predicted numbers before shows both kinds of scores."""
    versions = [model_of(2, LABELS, active=True), model_of(1, NUMBERS)]
    titles, new, old = format_models(dataset, versions, io.StringIO())
    assert titles.split("  ")[0] == "model"
    assert all(f"teacher {one}" in titles for one in ("accuracy", "macro-F1", "R²", "RMSE"))
    assert new.split()[:4] == ["intents@2", "active", "0.794", "0.792"]
    assert new.endswith("language, text_profile, embedding")
    assert old.split()[:5] == ["intents@1", "metrics", "only", "0.500", "1,234"]


@pytest.mark.parametrize("columns", [80, 100])
def test_the_table_fits_the_terminal(
    dataset: Dataset, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number is broken."""
    screen = make_screen(monkeypatch, columns)
    lines = format_models(dataset, [model_of(12, LABELS, active=True)], screen)
    lines = [without_colours(line) for line in lines]
    assert max(map(len, lines)) <= columns
    [row] = [line for line in lines if "intents@12" in line]
    assert row.count("0.794") == row.count("0.792") == 2
