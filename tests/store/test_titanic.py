"""The passengers and crew of the Titanic: 2,201 rows, and only 14 different sets of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from db.files.importer import import_files
from db.files.infer import infer_dataset
from db.ingestion.row import RowCounts
from db.records.dataset import Dataset
from db.records.observation import count_labels, count_observations
from db.records.record import count_records
from db.settings import Settings
from db.store.store import Store
from enrich.learning.training import train_model
from tests.conftest import register

# How many died and survived, by class, sex and age (Dawson 1995).
COUNTS = {
    ("1st", "Female", "Adult"): (4, 140),
    ("1st", "Female", "Child"): (0, 1),
    ("1st", "Male", "Adult"): (118, 57),
    ("1st", "Male", "Child"): (0, 5),
    ("2nd", "Female", "Adult"): (13, 80),
    ("2nd", "Female", "Child"): (0, 13),
    ("2nd", "Male", "Adult"): (154, 14),
    ("2nd", "Male", "Child"): (0, 11),
    ("3rd", "Female", "Adult"): (89, 76),
    ("3rd", "Female", "Child"): (17, 14),
    ("3rd", "Male", "Adult"): (387, 75),
    ("3rd", "Male", "Child"): (35, 13),
    ("Crew", "Female", "Adult"): (3, 20),
    ("Crew", "Male", "Adult"): (670, 192),
}
ROWS = [
    (*inputs, label)
    for inputs, counts in COUNTS.items()
    for label, count in zip(("No", "Yes"), counts, strict=True)
    for _ in range(count)
]


def write(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    """Write rows as a CSV file."""
    path.write_text("\n".join(map(",".join, [("class", "sex", "age", "survived"), *rows])), "utf-8")
    return path


@pytest.fixture
def titanic(store: Store, tmp_path: Path) -> Dataset:
    """Return the dataset as `infer` drafts it, with all rows."""
    path = write(tmp_path / "titanic.csv", ROWS)
    dataset = register(store, infer_dataset(path, "survived").spec)
    assert import_files(store, dataset, [path]).counts == RowCounts(added=2201, records=14)
    return dataset


def numbers(store: Store, dataset: Dataset) -> tuple[int, int, int]:
    """Return the numbers of observations, of labels and of records."""
    with store.reading() as connection:
        return (
            count_observations(connection, dataset.id),
            count_labels(connection, dataset.id),
            count_records(connection, dataset.id),
        )


def test_every_passenger_counts_however_often_the_file_is_imported(
    store: Store, titanic: Dataset, tmp_path: Path
) -> None:
    """A corrected file corrects, and `--add` adds once."""
    assert numbers(store, titanic) == (2201, 2201, 14)
    path = tmp_path / "titanic.csv"
    assert import_files(store, titanic, [path]).counts == RowCounts(unchanged=2201)
    # Two of the first class's men survived after all.
    rows = ROWS.copy()
    for _ in range(2):
        rows.remove(("1st", "Male", "Adult", "No"))
        rows.append(("1st", "Male", "Adult", "Yes"))
    corrected = import_files(store, titanic, [write(tmp_path / "corrected.csv", rows)])
    assert corrected.counts == RowCounts(corrected=2, unchanged=2199)
    more = write(tmp_path / "more.csv", ROWS[:100])
    assert import_files(store, titanic, [more], add=True).counts == RowCounts(added=100)
    assert import_files(store, titanic, [more], add=True).added_before is not None
    assert numbers(store, titanic) == (2301, 2301, 14)


def test_training_counts_every_passenger(
    store: Store, settings: Settings, titanic: Dataset
) -> None:
    """Out of fold it is as accurate as scikit-learn on the rows, within .005."""
    metrics = train_model(store, titanic.name, settings).metrics
    assert (metrics["rows"], metrics["records"]) == (2201, 14)
    inputs, labels = np.array(ROWS)[:, :3], np.array(ROWS)[:, 3]
    model = make_pipeline(OneHotEncoder(), LogisticRegression())
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    expected = cross_val_score(model, inputs, labels, cv=folds).mean()
    assert metrics["teacher"]["accuracy"] == pytest.approx(expected, abs=0.005)
    assert metrics["student"]["accuracy"] == pytest.approx(expected, abs=0.005)
