"""Workers with other versions of scikit-learn than the one that made the model.

Each version needs a virtual environment that pip makes, so this runs only in full:
`make faults TESTS=tests/faults/test_library_versions.py`.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.queue.fault import read_faults
from db.queue.quarantine import list_quarantine
from db.records.dataset import find_dataset
from db.records.models.trained_model import all_models
from db.scoring.library_versions import library_versions
from db.store import tables
from db.store.store import Store, connect_store
from tests.conftest import ROOT, command_environment, settings_for
from tests.extent import FULL
from tests.processes import PATIENCE_SECONDS, wait_for

VERSIONS = ("1.7.2", "1.8.0")
SPEC = """
name = "rooms"
kind = "regression"
target = "price"
id = "number"
teacher = "tests.store.sample_teachers.trees"
[fields.area]
type = "number"
[fields.floor]
type = "number"
"""
RECORDS, MORE = 200, 20


def other_python(version: str, folder: Path) -> Path:
    """Return a Python that has another scikit-learn, and everything else as here."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = ["-m", "pip", "install", "-q", "--no-deps", f"scikit-learn=={version}"]
    subprocess.run([python, *install], check=True, timeout=PATIENCE_SECONDS)
    [ours] = [path for path in sys.path if path.endswith("site-packages")]
    [theirs] = folder.glob("lib/python*/site-packages")
    # A path in such a file comes after the environment's own packages.
    (theirs / "others.pth").write_text(ours)
    return python


class Place:
    """A store, and commands of one or another Python on it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.folder = folder
        self.environment = command_environment(self.url, CODE_PATHS="datasets,tests")

    def run(self, python: Path | str, *arguments: str) -> None:
        """Run a command to its end."""
        command = [python, "-m", *arguments]
        subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, timeout=PATIENCE_SECONDS
        )

    @contextmanager
    def worker(self, python: Path | str) -> Iterator[None]:
        """Run a worker, idle machine or not, for as long as the block runs."""
        command = [python, "-m", "enrich", "run", "--now"]
        worker = subprocess.Popen(command, cwd=ROOT, env=self.environment)
        try:
            yield
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.wait(PATIENCE_SECONDS)

    def add(self, python: Path | str, first: int, count: int) -> None:
        """Import rooms with prices; those from RECORDS on have none."""
        rows = self.folder / f"{first}.csv"
        lines = [
            f"{at},{at % 90},{at % 7},{3 * (at % 90) if at < RECORDS else ''}"
            for at in range(first, first + count)
        ]
        rows.write_text("\n".join(["number,area,floor,price", *lines]))
        self.run(python, "db", "import", "rooms", str(rows))


def count_predictions(store: Store, version: int) -> int:
    """Return how many predictions of a version of the model are stored."""
    named = f'"model":"rooms@{version}"'.encode()
    with store.reading() as connection:
        bodies = connection.execute(select(tables.prediction.c.body)).scalars()
        return sum(named in body for body in bodies)


def is_done(store: Store, version: int) -> bool:
    """Return whether every record has a prediction of this version; none may be quarantined."""
    with store.reading() as connection:
        assert not list_quarantine(connection)
        query = select(func.count()).select_from(tables.record)
        records = connection.execute(query).scalar_one()
    return count_predictions(store, version) == records


def versions(store: Store) -> list[str]:
    """Return the scikit-learn that made each version of the model, the newest first."""
    with store.reading() as connection:
        dataset = find_dataset(connection, "rooms")
        assert not [one for one in read_faults(connection) if one.subject == "prediction"]
        models = all_models(connection, dataset.id)
        return [model.libraries.made["scikit-learn"] for model in models]


def check_both_ways(other: Path, tmp_path: Path, there: str) -> None:
    """Work with both versions, alone and side by side."""
    place, here = Place(tmp_path), library_versions()["scikit-learn"]
    (tmp_path / "rooms.toml").write_text(SPEC)
    place.run(other, "db", "upgrade")
    place.run(other, "db", "load", str(tmp_path / "rooms.toml"))
    place.add(other, 0, RECORDS)
    place.run(other, "enrich", "train", "rooms")
    place.run(other, "enrich", "once")
    store = connect_store(settings_for(place.url))
    assert is_done(store, 1)
    place.add(other, RECORDS, MORE)
    with place.worker(sys.executable):
        wait_for(lambda: is_done(store, 2))
        assert versions(store) == [here, there]
        # Both versions work side by side: the one leaves the other's model to it.
        with place.worker(other):
            place.add(sys.executable, RECORDS + MORE, MORE)
            wait_for(lambda: is_done(store, 2))
            place.add(sys.executable, RECORDS + 2 * MORE, MORE)
            wait_for(lambda: is_done(store, 2))
            assert versions(store) == [here, there]
    # And back, where only workers of the other version are left.
    place.add(other, RECORDS + 3 * MORE, MORE)
    with place.worker(other):
        wait_for(lambda: is_done(store, 3))
        assert versions(store) == [there, here, there]
    store.close()


if FULL:

    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_model_goes_on_across_versions(version: str, tmp_path: Path) -> None:
        """There and back: a new model takes the place of one that cannot be used, once."""
        check_both_ways(other_python(version, tmp_path / "venv"), tmp_path, version)
