"""The web process in an environment with only its own dependencies."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from db.files.importer import import_files
from enrich.learning.training import train_model
from tests.conftest import (
    ROOT,
    make_store,
    register,
    sample_spec,
    settings_for,
)
from tests.environment import make_environment
from tests.web_process import web_process


@pytest.fixture(scope="module")
def web_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a virtual environment of requirements-web.txt only."""
    folder = tmp_path_factory.mktemp("web")
    return make_environment(folder, ROOT / "requirements-web.txt") / "python"


@pytest.mark.slow
def test_the_web_process_needs_no_packages_of_the_workers(
    web_python: Path, sqlite_url: str
) -> None:
    """It predicts with neither NumPy nor scikit-learn installed."""
    for missing in ("numpy", "sklearn", "alembic", "psutil"):
        imported = subprocess.run(
            [web_python, "-c", f"import {missing}"], check=False, capture_output=True
        )
        assert imported.returncode != 0, f"{missing} is installed"
    store = make_store(sqlite_url)
    dataset = register(store, sample_spec("customers"))
    import_files(store, dataset, [ROOT / "datasets" / "customers.csv"])
    train_model(store, "customers", settings_for(sqlite_url))
    store.close()
    with web_process(web_python, sqlite_url) as port:
        target = "/predict?education=PhD&age=12&income=1000"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}") as reply:
            body = json.load(reply)
    assert isinstance(body["prediction"], float)
    assert len(body["warnings"]) == 2
