"""Fixtures of the tests of training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import make_store, settings_for

from .place import Place


@pytest.fixture
def place(sqlite_url: str, tmp_path: Path) -> Iterator[Place]:
    """Return an empty store."""
    store = make_store(sqlite_url)
    yield Place(store, settings_for(sqlite_url, CODE_PATHS="datasets,tests"), tmp_path)
    store.close()
