"""The web process in an environment with only its own dependencies."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.files.importer import import_files
from enrich.learning.training import train_model
from tests.conftest import (
    ROOT,
    command_environment,
    make_store,
    register,
    sample_spec,
    settings_for,
)
from tests.environment import make_environment
from tests.ports import free_port, wait_until_ready
from tests.processes import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def web_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a virtual environment of requirements-web.txt only."""
    folder = tmp_path_factory.mktemp("web")
    return make_environment(folder, ROOT / "requirements-web.txt") / "python"


@contextmanager
def serving(python: Path, url: str) -> Iterator[int]:
    """Run the web process; yield its port."""
    port = free_port()
    environment = command_environment(url, PORT=str(port))
    with subprocess.Popen(
        [python, "-m", "serve"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as web:
        try:
            wait_until_ready(web, port)
            yield port
        finally:
            web.terminate()
            assert web.wait(PATIENCE_SECONDS) == 0


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
    with serving(web_python, sqlite_url) as port:
        target = "/predict?education=PhD&age=12&income=1000"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}") as reply:
            body = json.load(reply)
    assert isinstance(body["prediction"], float)
    assert len(body["warnings"]) == 2
