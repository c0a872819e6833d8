"""A store with its settings and a folder for files, for tests that train on a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.files.importer import import_files
from db.records.dataset import Dataset
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store
from tests.conftest import register


@dataclass
class Place:
    """A store with its settings and a folder for files."""

    store: Store
    settings: Settings
    folder: Path

    def write(self, name: str, lines: Sequence[str]) -> Path:
        """Write a data file and return its path."""
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def load(self, spec: DatasetSpec, lines: Sequence[str]) -> Dataset:
        """Register a dataset and import lines of a file."""
        dataset = register(self.store, spec)
        import_files(self.store, dataset, [self.write("rows.csv", lines)])
        return dataset
