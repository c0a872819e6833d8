"""A web process that answers requests alone never imports SQLAlchemy."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from db.queue.run_history import begin_run, end_run
from db.queue.workers.pause import pause_workers
from db.queue.workers.worker_registry import WorkerReport, record_heartbeat, register_worker
from db.records.prediction import Prediction, write_predictions
from db.store import tables
from db.store.store import Store
from db.traffic.web_load import read_load
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones
from tests.processes import wait_for
from tests.web_process import web_process

REFUSED = 'raise ImportError("a web process without pages imports SQLAlchemy")\n'
ASKED = {"sentence": "ravi", "town": "Lyon"}


@contextmanager
def serving(url: str, folder: Path, **settings: str) -> Iterator[int]:
    """Serve where SQLAlchemy cannot be imported; yield the port."""
    package = folder / "refused" / "sqlalchemy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(REFUSED)
    with web_process(sys.executable, url, PYTHONPATH=str(package.parent), **settings) as port:
        yield port


def ask(port: int, **values: str) -> dict[str, object]:
    """Return the answer to inputs of TONES."""
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/predict/tones?{urlencode(values)}"
    ) as response:
        answer: dict[str, object] = json.load(response)
        return answer


def knows_rents(port: int) -> bool:
    """Return whether the process answers inputs of RENTS."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/predict/rents?area=40&town=Lyon").close()
    except HTTPError:
        return False
    return True


def count(store: Store, name: str) -> int:
    """Return how many rows a table has."""
    with store.reading() as connection:
        query = select(func.count()).select_from(tables.metadata.tables[name])
        return connection.execute(query).scalar_one()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_web_process_answers_records_and_reports_through_the_driver_alone(
    store: Store, database_url: str, tmp_path: Path, processes: str
) -> None:
    """SQLAlchemy takes a third of its memory and half of its start."""
    serve_student(store, TONES, tones())
    with serving(database_url, tmp_path, WEB_CONCURRENCY=processes) as port:
        answer = ask(port, **ASKED)
        assert (answer["prediction"], answer["enrichment"]) == ("happy", "queued")
        wait_for(lambda: count(store, "record") == 1)
        wait_for(lambda: count(store, "served_answer") == 1)
        with store.reading() as connection:
            wait_for(lambda: read_load(connection) is not None)
    assert count(store, "served") == 1
    assert count(store, "web_signal") == 0


def test_it_tells_what_workers_do_when_it_is_scraped(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """A scraped process is the usual one; it would need a third more memory."""
    dataset = serve_student(store, TONES, tones())
    with store.writing() as connection:
        worker = register_worker(connection)
        record_heartbeat(connection, worker, WorkerReport("open", 0.0))
        end_run(
            connection, begin_run(connection, dataset.id, "train", worker), 0, "failed: no rows"
        )
        pause_workers(connection)
    with serving(database_url, tmp_path) as port:
        ask(port, **ASKED)
        wait_for(lambda: count(store, "record") == 1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            metrics = response.read().decode()
    assert 'veilleuse_workers{gate="open"} 1.0' in metrics
    assert 'veilleuse_dataset_fault{dataset="tones",subject="train"} 1.0' in metrics
    assert "veilleuse_workers_paused 1.0" in metrics
    assert 'veilleuse_backlog_records{dataset="tones",enricher="profile"} 1.0' in metrics


def test_it_notices_new_predictions_and_datasets(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """It polls the generation, and loads what has changed."""
    dataset = serve_student(store, TONES, tones())
    with serving(database_url, tmp_path) as port:
        assert ask(port, **ASKED)["source"] == "student"
        stored = dict(ask(port, **ASKED), source="teacher", enrichment="done")
        key = TONES.key(TONES.read_inputs(ASKED))
        body = json.dumps(stored).encode()
        store.write(
            lambda connection: write_predictions(
                connection, dataset.id, [Prediction(key, body, "f", "happy", 0.5)]
            )
        )
        serve_student(store, RENTS, rents())
        wait_for(lambda: knows_rents(port))
        assert ask(port, **ASKED)["source"] == "teacher"
