"""The web process of the web image in a container, as the target of a run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.load.scenario import Scenario
from benchmark.processes import environment_of, free_port, wait_until
from benchmark.target.server import Target, describe_cores, server_settings, start_front
from benchmark.target.store import SQLITE, export_rows, prepare_store

from .container_run import (
    FOLDER,
    container_memory_verdict,
    is_serving,
    running_container,
    usage_of_container,
)
from .engine import image_name, run_engine
from .image_size import image_size_verdict, measure_image
from .limits import LIMITS

URL = f"{SQLITE}{FOLDER}/store.db"
# The worker container runs this to its end, before the web container starts.
# The teacher reads what the first `once` computes.
WORK = " && ".join(
    f"python -m {command}"
    for command in ("db upgrade", "enrich once", "enrich train {dataset}", "enrich once")
)


@contextmanager
def start_containers(scenario: Scenario, cores: frozenset[int], out: Path) -> Iterator[Target]:
    """Train a store in a worker container, then serve it from a web container while the block runs.

    The containers' logs are moved into the folder `out`.
    """
    parts = [image_size_verdict([measure_image(role) for role in LIMITS])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = prepare_store(folder)
        rows = export_rows(environment_of(url), scenario.dataset, folder)
        # In a container the folder has another path.
        store = {"DATABASE_URL": URL if url.startswith(SQLITE) else url}
        work = ["sh", "-c", WORK.format(dataset=scenario.dataset)]
        with running_container("worker", folder, store, cores, *work) as worker:
            run_engine("wait", worker.name)
        port, settings = free_port(), server_settings(scenario)
        environment = store | {"HOST": "127.0.0.1", "PORT": str(port)} | settings
        with running_container("web", folder, environment, cores) as web:
            wait_until("the web container is ready", lambda: is_serving(web, port))
            with start_front(scenario, folder, port, cores) as (front, host):
                about = f"{front}a container of {image_name('web')} on {describe_cores(cores)}"
                usage = usage_of_container(web.group)
                yield Target(about, host, rows, usage, settings, parts)
        parts.append(container_memory_verdict([web, worker]))
        for log in folder.glob("*.log"):
            shutil.move(log, out / log.name)
