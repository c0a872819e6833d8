"""A web process in a container as the subject of a run, after a worker in one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.load.scenario import Scenario
from benchmark.processes import environment_of, free_port, wait_until
from benchmark.target.store import SQLITE, export_rows, lend_store
from benchmark.target.target import Target, cores_in_words, fronted, settings_of

from . import container_run
from . import image_size as size
from .engine import ask, image_name
from .limits import LIMITS

URL = f"{SQLITE}{container_run.FOLDER}/store.db"
# What of the worker's image a container does, to its end.
WORK = "python -m db upgrade && python -m enrich train {dataset} && python -m enrich once"


@contextmanager
def contained(scenario: Scenario, cores: frozenset[int], out: Path) -> Iterator[Target]:
    """Serve from the web image's container a store that the worker image's has trained."""
    parts = [size.describe([size.weigh(room) for room in LIMITS])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = lend_store(folder)
        rows = export_rows(environment_of(url), scenario.dataset, folder)
        # A container knows the folder by another name.
        given = {"DATABASE_URL": URL if url.startswith(SQLITE) else url}
        work = ["sh", "-c", WORK.format(dataset=scenario.dataset)]
        with container_run.running_container("worker", folder, given, cores, *work) as worker:
            ask("wait", worker.name)
        port, settings = free_port(), settings_of(scenario)
        environment = given | {"HOST": "127.0.0.1", "PORT": str(port)} | settings
        with container_run.running_container("web", folder, environment, cores) as web:
            wait_until("the web container", lambda: container_run.is_serving(web, port))
            with fronted(scenario, folder, port, cores) as (front, host):
                about = f"{front}a container of {image_name('web')} on {cores_in_words(cores)}"
                yield Target(about, host, rows, container_run.reader_of(web.group), settings, parts)
        parts.append(container_run.describe([web, worker]))
        for log in folder.glob("*.log"):
            shutil.move(log, out / log.name)
