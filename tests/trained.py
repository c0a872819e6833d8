"""A trained store with both sample datasets, made once for all test processes."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from db.files.importer import import_files
from enrich.learning.training import train_model

from .conftest import ROOT, WORDS_TEACHER, make_store, register, sample_spec, settings_for


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock, so that only one process at a time runs the block."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _train(path: Path) -> None:
    url = f"sqlite:///{path}"
    store = make_store(url)
    intents = sample_spec("intents")
    # The embedding of the sentences would take longer than everything else.
    fast = {name: made for name, made in intents.enrichers.items() if name != "embedding"}
    # Without it the student would be the teacher, as it is of the customers.
    own = msgspec.structs.replace(intents, enrichers=fast, teacher=WORDS_TEACHER)
    for spec in (own, sample_spec("customers")):
        found = register(store, spec)
        result = import_files(store, found, [ROOT / "datasets" / f"{spec.name}.csv"])
        assert not result.faults
        assert train_model(store, spec.name, settings_for(url)).decision.active
    store.close()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a trained SQLite store, which tests must not change."""
    base = tmp_path_factory.getbasetemp()
    ours = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    original = ours / "trained" / "store.db"
    with _alone(ours / "trained.lock"):
        if not original.exists():
            making = base / "training"
            making.mkdir()
            _train(making / original.name)
            making.rename(original.parent)
    # A reader leaves files next to the store, which another process would copy half written.
    return Path(shutil.copy(original, tmp_path_factory.mktemp("trained")))
