"""A worker that computes on a Dask cluster of real processes."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from sqlalchemy import update

from db.admin.store_status import dataset_status
from db.errors import EnricherError
from db.files.exporter import export_rows
from db.files.importer import import_files
from db.records.dataset import Dataset, find_dataset
from db.records.record import count_stale
from db.store import tables
from db.store.store import Store
from enrich.executors.dask import DaskExecutor
from enrich.worker.worker import working as enrich_working
from tests.conftest import (
    ROOT,
    command_environment,
    make_store,
    register,
    run_command,
    sample_spec,
    settings_for,
)
from tests.faults.conftest import FULL
from tests.ports import free_port
from tests.processes import PATIENCE_SECONDS, wait_for

pytestmark = pytest.mark.slow
# Embeddings differ by up to 3e-7 with the batch that they were computed in.
TOLERANCE = 1e-6


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Give a store with its tables; the cluster never sees it."""
    made = make_store(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def intents(store: Store) -> Dataset:
    """Give the sample, imported."""
    return load_intents(store)


def load_intents(store: Store) -> Dataset:
    """Import the sample into a store, without labels: this is not about training."""
    found = register(store, sample_spec("intents"))
    import_files(store, found, [ROOT / "datasets" / "intents.csv"])
    with store.writing() as connection:
        connection.execute(update(tables.record).values(label=None))
    return found


class Cluster:
    """Processes of Dask on a port of their own, all ended with the block."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._numbers = itertools.count()
        self.port = free_port()

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        """Start a scheduler, and wait until it listens."""
        port = str(self.port)
        started = self._start("scheduler", "--host", "127.0.0.1", "--port", port)
        self._wait_for_log("Scheduler at:")
        return started

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, which would start it again, and wait until it is in."""
        folder = str(self._folder)
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", folder)
        started = self._start("worker", self.address, *options)
        self._wait_for_log("Registered to:")
        return started

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context(self._new_log())
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard"],
            cwd=ROOT,
            env=command_environment(""),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._stack.callback(end, process)
        return process

    def _new_log(self) -> IO[bytes]:
        self._log = self._folder / f"dask-{next(self._numbers)}.log"
        return self._log.open("wb")

    def _wait_for_log(self, words: str) -> None:
        wait_for(lambda: words in self._log.read_text("utf-8"), self._log.read_text)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process for good: one of Dask may wait for ever for another that is gone."""
    process.kill()
    process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a cluster without any process yet."""
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


@contextmanager
def working(url: str, cluster: Cluster, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command of ours on the cluster."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "enrich", *arguments),
            *("--executor", "dask", "--scheduler", cluster.address),
        ],
        cwd=ROOT,
        env=command_environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            end(process)


def embedded(store: Store) -> int:
    """Count the records that have an embedding."""
    with store.reading() as connection:
        status = dataset_status(connection, find_dataset(connection, "intents"))
    return int(status["enriched"].get("embedding", 0))


def left(store: Store) -> tuple[int, int, int]:
    """Count stale records, chunks and quarantined records."""
    with store.reading() as connection:
        dataset = find_dataset(connection, "intents")
        status = dataset_status(connection, dataset)
        stale = count_stale(connection, dataset.id, dataset.revision)
    return stale, status["chunks"], status["quarantined"]


def assert_as_computed_locally(store: Store, dataset: Dataset, folder: Path) -> None:
    """All values are those of a store that was enriched without a cluster."""
    url = f"sqlite:///{folder / 'local.db'}"
    local = make_store(url)
    same = load_intents(local)
    assert run_command(url, "enrich", "once").code == 0
    ours, theirs = (
        {row["key"]: row["enrichments"] for row in export_rows(*where)}
        for where in ((store, dataset), (local, same))
    )
    local.close()
    assert ours.keys() == theirs.keys()
    for key, made in ours.items():
        assert made.keys() == {"language", "text_profile", "embedding"}
        assert made["language"] == theirs[key]["language"]
        for name in ("text_profile", "embedding"):
            assert np.abs(np.subtract(made[name], theirs[key][name])).max() <= TOLERANCE


def test_a_cluster_that_loses_a_worker_gives_the_values_of_a_local_child(
    store: Store, sqlite_url: str, intents: Dataset, cluster: Cluster, tmp_path: Path
) -> None:
    """Nobody is blamed for it, and nothing is left over."""
    cluster.start_scheduler()
    victim, _ = cluster.start_worker(), cluster.start_worker()
    with working(sqlite_url, cluster, "once", "intents") as once:
        wait_for(lambda: embedded(store) > 0 or once.poll() is not None)
        victim.kill()
        victim.wait()
        out, _ = once.communicate(timeout=PATIENCE_SECONDS)
    assert once.returncode == 0, out
    assert left(store) == (0, 0, 0)
    assert_as_computed_locally(store, intents, tmp_path)


def test_a_scheduler_that_is_lost_and_comes_back_loses_nothing(
    store: Store, sqlite_url: str, intents: Dataset, cluster: Cluster, tmp_path: Path
) -> None:
    """The worker says why it waits, and goes on by itself."""
    scheduler = cluster.start_scheduler()
    workers = [cluster.start_worker(), cluster.start_worker()]
    with working(sqlite_url, cluster, "run", "--now") as run:
        wait_for(lambda: embedded(store) > 0 or run.poll() is not None)
        for process in (scheduler, *workers):
            process.send_signal(signal.SIGKILL)
            process.wait()
        wait_for(lambda: "cannot be reached" in told(sqlite_url), lambda: told(sqlite_url))
        cluster.start_scheduler()
        cluster.start_worker()
        wait_for(lambda: left(store) == (0, 0, 0), lambda: told(sqlite_url))
        run.terminate()
        out, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, out
    assert "Traceback" not in out, out
    assert_as_computed_locally(store, intents, tmp_path)


def told(url: str) -> str:
    """Return what workers say went wrong last."""
    seen = json.loads(run_command(url, "enrich", "status", "--json").out)
    return " ".join(worker["error"] or "" for worker in seen["workers"])


@pytest.mark.usefixtures("intents")
def test_a_cluster_without_workers_is_told(sqlite_url: str, cluster: Cluster) -> None:
    """The worker waits for one to come."""
    cluster.start_scheduler()
    said = f"the Dask cluster at {cluster.address} cannot be reached: it has no workers"
    with working(sqlite_url, cluster, "run", "--now"):
        wait_for(lambda: said in told(sqlite_url), lambda: told(sqlite_url))


@pytest.mark.usefixtures("intents")
def test_whoever_is_to_end_tells_that_nobody_computes(
    store: Store, sqlite_url: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one would wait in front of a silent terminal."""
    monkeypatch.setattr("enrich.worker.worker.MOST_WAIT_SECONDS", 6.0)
    cluster.start_scheduler()
    executor = DaskExecutor(cluster.address)
    stop = threading.Event()
    with enrich_working(store, settings_for(sqlite_url), stop, executor) as worker:  # noqa: SIM117
        with pytest.raises(EnricherError, match=r"have to wait: .* has no workers"):
            worker.enrich(["intents"], wait=True)
    assert left(store)[2] == 0


if FULL:
    # A command waits a minute before it gives up.

    @pytest.mark.usefixtures("intents")
    def test_a_command_that_is_to_end_tells_that_nobody_computes(
        sqlite_url: str, cluster: Cluster
    ) -> None:
        """In one line, and after about a minute."""
        cluster.start_scheduler()
        with working(sqlite_url, cluster, "once", "intents") as once:
            out, _ = once.communicate(timeout=PATIENCE_SECONDS)
        assert once.returncode == 1
        assert "it has no workers" in out
        assert "Traceback" not in out, out
