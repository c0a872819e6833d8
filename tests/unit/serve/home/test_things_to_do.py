"""Tests of what pages tell people to do next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serve.pages.home.things_to_do import DatasetState, Task, should_retrain, things_to_do
from serve.telemetry.drift import Drift

# A dataset with nothing to do.
WELL = DatasetState(
    name="notes", model="notes@2", records=900, labelled=800, trained_labels=800, drift=Drift(None)
)


def test_a_dataset_that_is_well_leaves_nothing_to_do() -> None:
    """New labels are few, and nothing is uncertain."""
    assert things_to_do(WELL) == []
    assert things_to_do(replace(WELL, new_labels=3)) == []


@pytest.mark.parametrize(
    ("state", "task"),
    [
        (DatasetState(name="notes"), ("Import rows", "", "python -m db import notes FILE")),
        (DatasetState(name="notes", records=7), ("none of the 7 records", "/label/notes", "")),
        (
            DatasetState(name="notes", records=7, labelled=5),
            ("Train the first model: 5 records", "", "python -m enrich train notes"),
        ),
    ],
)
def test_a_dataset_without_a_model_has_one_next_step(
    state: DatasetState, task: tuple[str, str, str]
) -> None:
    """It is rows, then labels, then training."""
    [found] = things_to_do(state)
    text, path, command = task
    assert text in found.text
    assert (found.level, found.path, found.command) == ("todo", path, command)


@pytest.mark.parametrize(
    ("change", "level", "text", "where"),
    [
        ({"stopped": ["train"]}, "bad", "train is stopped", "/server#troubles"),
        ({"warnings": ["It never finds: sad."]}, "bad", "It never finds", "/models/notes"),
        ({"alarm": "Accuracy has fallen"}, "bad", "Accuracy has fallen", "/production/notes"),
        (
            {"drift": Drift(0.543, "bad", "measured", hours=6)},
            "bad",
            "the last 6 hours differ from training (PSI 0.54)",
            "/over-time/notes",
        ),
        (
            {"backlog": 800, "has_worker": False},
            "warn",
            "800 records wait, and no worker is running",
            "python -m enrich run",
        ),
        ({"quarantined": 1}, "warn", "1 record is in quarantine", "/server#troubles"),
        (
            {"new_labels": 50},
            "todo",
            "Retrain: 50 labels since notes@2",
            "python -m enrich train notes",
        ),
        ({"issues": 2}, "todo", "2 labels that are probably wrong", "/label/notes?order=issues"),
        ({"uncertain": 1000}, "todo", "there are more than 1,000", "/label/notes?order=uncertain"),
        ({"is_regression": True}, "todo", "100 records without a label", "/label/notes"),
    ],
)
def test_each_finding_is_one_thing_to_do_with_a_page_or_a_command(
    change: dict[str, object], level: str, text: str, where: str
) -> None:
    """The text says what was found."""
    [task] = things_to_do(replace(WELL, **change))  # type: ignore[arg-type]
    assert task.level == level
    assert text in task.text
    assert where in {task.path, task.command}


def test_what_is_wrong_comes_before_what_could_be_better() -> None:
    """A backlog is nothing to do while a worker is running."""
    state = replace(WELL, uncertain=12, stopped=["train"], quarantined=3, backlog=5)
    levels = [task.level for task in things_to_do(state)]
    assert levels == ["bad", "warn", "todo"]
    assert Task("todo", "", "/label/notes").command == ""


@pytest.mark.parametrize(
    ("trained", "new", "expected"),
    [(1000, 49, False), (1000, 50, True), (30, 2, False), (30, 3, True), (0, 0, False)],
)
def test_a_tenth_more_labels_or_fifty_are_enough_to_retrain(
    trained: int, new: int, *, expected: bool
) -> None:
    """Without a new label another model would be the same."""
    assert should_retrain(trained, new) is expected
