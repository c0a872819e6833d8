"""A worker that computes on a Dask cluster of real processes."""

from __future__ import annotations

import itertools
import json
import os
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
from db.errors import EnricherError, VeilleuseError
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
    """Yield a store with its tables; the cluster never connects to it."""
    opened = make_store(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def intents(store: Store) -> Dataset:
    """Return the imported sample dataset."""
    return load_intents(store)


def load_intents(store: Store) -> Dataset:
    """Import the sample into a store without labels, so that no model is trained."""
    dataset = register(store, sample_spec("intents"))
    import_files(store, dataset, [ROOT / "datasets" / "intents.csv"])
    with store.writing() as connection:
        connection.execute(update(tables.record).values(label=None))
    return dataset


class Cluster:
    """A Dask scheduler and its workers on a free port; all end with the exit stack."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._numbers = itertools.count()
        self.port = free_port()

    @property
    def address(self) -> str:
        """Return the scheduler's address."""
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        """Start a scheduler, and wait until it listens."""
        port = str(self.port)
        started = self._start("scheduler", "--host", "127.0.0.1", "--port", port)
        self._wait_for_log("Scheduler at:")
        return started

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, which would restart it; wait until it has registered."""
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
    """Kill a process: a Dask process may wait forever for another that is gone."""
    process.kill()
    process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Yield a cluster without any process yet."""
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


@contextmanager
def working(url: str, cluster: Cluster, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run an enrich command on the cluster."""
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


def remaining(store: Store) -> tuple[int, int, int]:
    """Count stale records, chunks and quarantined records."""
    with store.reading() as connection:
        dataset = find_dataset(connection, "intents")
        status = dataset_status(connection, dataset)
        stale = count_stale(connection, dataset.id, dataset.revision)
    return stale, status["chunks"], status["quarantined"]


def assert_as_computed_locally(store: Store, dataset: Dataset, folder: Path) -> None:
    """Fail unless all values equal those of a store enriched without a cluster."""
    url = f"sqlite:///{folder / 'local.db'}"
    local = make_store(url)
    local_dataset = load_intents(local)
    assert run_command(url, "enrich", "once").code == 0
    ours, theirs = (
        {row["key"]: row["enrichments"] for row in export_rows(*where)}
        for where in ((store, dataset), (local, local_dataset))
    )
    local.close()
    assert ours.keys() == theirs.keys()
    for key, values in ours.items():
        assert values.keys() == {"language", "text_profile", "embedding"}
        assert values["language"] == theirs[key]["language"]
        for name in ("text_profile", "embedding"):
            assert np.abs(np.subtract(values[name], theirs[key][name])).max() <= TOLERANCE


def test_a_cluster_that_loses_a_worker_gives_the_values_of_a_local_child(
    store: Store, sqlite_url: str, intents: Dataset, cluster: Cluster, tmp_path: Path
) -> None:
    """No record is quarantined, and none stays stale."""
    cluster.start_scheduler()
    victim, _ = cluster.start_worker(), cluster.start_worker()
    with working(sqlite_url, cluster, "once", "intents") as once:
        wait_for(lambda: embedded(store) > 0 or once.poll() is not None)
        victim.kill()
        victim.wait()
        out, _ = once.communicate(timeout=PATIENCE_SECONDS)
    assert once.returncode == 0, out
    assert remaining(store) == (0, 0, 0)
    assert_as_computed_locally(store, intents, tmp_path)


def replace_scheduler(
    store: Store, sqlite_url: str, intents: Dataset, cluster: Cluster, tmp_path: Path
) -> None:
    """Replace the scheduler of a worker, which reports why it waits, and continues by itself."""
    scheduler = cluster.start_scheduler()
    workers = [cluster.start_worker(), cluster.start_worker()]
    with working(sqlite_url, cluster, "run", "--now") as run:
        wait_for(lambda: embedded(store) > 0 or run.poll() is not None)
        for process in (scheduler, *workers):
            process.send_signal(signal.SIGKILL)
            process.wait()
        wait_for(
            lambda: "cannot be reached" in worker_errors(sqlite_url),
            lambda: worker_errors(sqlite_url),
        )
        cluster.start_scheduler()
        cluster.start_worker()
        wait_for(lambda: remaining(store) == (0, 0, 0), lambda: worker_errors(sqlite_url))
        run.terminate()
        out, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 0, out
    assert "Traceback" not in out, out
    assert_as_computed_locally(store, intents, tmp_path)


if FULL:

    def test_no_work_is_lost_when_the_scheduler_is_replaced(
        store: Store, sqlite_url: str, intents: Dataset, cluster: Cluster, tmp_path: Path
    ) -> None:
        """It takes most of a minute, so the short form has the loss of a worker alone."""
        replace_scheduler(store, sqlite_url, intents, cluster, tmp_path)


def leave_mark(path: str) -> object:
    """Create a file that has this process's id in its name."""
    Path(f"{path}-{os.getpid()}").touch()
    return path


class Evil:
    """An object that creates a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return leave_mark, (self.path,)


class EvilError(Exception):
    """An error that creates a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return leave_mark, (self.path,)


def return_evil(path: str) -> object:
    """Return an object that is not data."""
    return Evil(path)


def raise_evil(path: str) -> object:
    """Fail with an error that is not data."""
    raise EvilError(path)


def pack_evil(_: object, __: object, rows: list[Any]) -> object:
    """Answer as a worker of the cluster that was taken over."""
    return Evil(rows[0])


def test_nothing_that_a_worker_of_the_cluster_sends_is_run_here(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results and errors are data; anything else is refused, and the worker goes on."""
    cluster.start_scheduler()
    cluster.start_worker()
    executor = DaskExecutor(cluster.address)
    client = executor._connect()
    for number, task in enumerate((return_evil, raise_evil)):
        with pytest.raises(Exception):  # noqa: B017, PT011  whatever Dask makes of it
            client.submit(task, str(tmp_path / f"ran-{number}")).result(timeout=60)
    monkeypatch.setattr("enrich.executors.dask.compute_there", pack_evil)
    with pytest.raises(VeilleuseError, match="luster"):
        executor.compute("f", lambda: "recipe", [str(tmp_path / "ran-2")])  # type: ignore[arg-type, return-value, list-item]
    executor.close()
    # A process of the cluster reads its own errors again.
    assert not list(tmp_path.glob(f"ran-*-{os.getpid()}"))


def worker_errors(url: str) -> str:
    """Return the last errors that workers report."""
    status = json.loads(run_command(url, "enrich", "status", "--json").out)
    return " ".join(worker["error"] or "" for worker in status["workers"])


@pytest.mark.usefixtures("intents")
def test_a_cluster_without_workers_is_reported(sqlite_url: str, cluster: Cluster) -> None:
    """The worker waits for a Dask worker to join."""
    cluster.start_scheduler()
    expected = f"the Dask cluster at {cluster.address} cannot be reached: it has no workers"
    with working(sqlite_url, cluster, "run", "--now"):
        wait_for(lambda: expected in worker_errors(sqlite_url), lambda: worker_errors(sqlite_url))


@pytest.mark.usefixtures("intents")
def test_a_run_that_should_end_reports_a_cluster_without_workers(
    store: Store, sqlite_url: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a user would wait in front of a silent terminal."""
    monkeypatch.setattr("enrich.worker.worker.MOST_WAIT_SECONDS", 6.0)
    cluster.start_scheduler()
    executor = DaskExecutor(cluster.address)
    stop = threading.Event()
    with enrich_working(store, settings_for(sqlite_url), stop, executor) as worker:  # noqa: SIM117
        with pytest.raises(EnricherError, match=r"have to wait: .* has no workers"):
            worker.enrich(["intents"], wait=True)
    assert remaining(store)[2] == 0


if FULL:
    # A command waits a minute before it gives up.

    @pytest.mark.usefixtures("intents")
    def test_a_command_that_should_end_reports_a_cluster_without_workers(
        sqlite_url: str, cluster: Cluster
    ) -> None:
        """The command gives up after about a minute, without a traceback."""
        cluster.start_scheduler()
        with working(sqlite_url, cluster, "once", "intents") as once:
            out, _ = once.communicate(timeout=PATIENCE_SECONDS)
        assert once.returncode == 1
        assert "it has no workers" in out
        assert "Traceback" not in out, out
