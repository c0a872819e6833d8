"""A worker with several broken datasets: the healthy ones get everything, the others are named."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from db.admin.store_status import dataset_status
from db.records.dataset import find_dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.learning.training import train_model
from tests.conftest import (
    WORDS_TEACHER,
    make_store,
    notes_spec,
    register,
    run_command,
    settings_for,
)
from tests.store.test_enrich import SAMPLES, fill

from .conftest import Site, serving
from .test_worker import wait_for, worker_running
from .test_worker_metrics import metric

LENGTH = EnricherSpec(use=f"{SAMPLES}.Length")
RAISES = EnricherSpec(use="tests.store.broken_enrichers.Raises")
# By their names, the broken datasets come first.
BROKEN = {"a-spec": "spec", "b-code": "enricher own", "c-model": "prediction", "d-plan": "plan"}
HEALTHY = "healthy"
RECORDS = 30


def spec_of(name: str) -> DatasetSpec:
    """Return the spec of a dataset."""
    enrichers = {"b-code": RAISES, "d-plan": EnricherSpec(use="datasets.gone.Code")}
    own = {"own": enrichers.get(name, LENGTH)}
    return msgspec.structs.replace(notes_spec(own, WORDS_TEACHER), name=name)


def break_datasets(store: Store, url: str) -> None:
    """Make all datasets, train the models of two, and break the others."""
    for name in (*BROKEN, HEALTHY):
        fill(store, register(store, spec_of(name)), RECORDS)
    for name in ("c-model", HEALTHY):
        train_model(store, name, settings_for(url))
    with store.writing() as connection:
        broken = tables.dataset.c.name == "a-spec"
        connection.execute(update(tables.dataset).where(broken).values(spec='{"name": '))
        dataset_id = find_dataset(connection, "c-model").id
        model = tables.model.c.dataset_id == dataset_id
        connection.execute(update(tables.model).where(model).values(teacher=b"no zip file"))
        # Without labels it is not trained again, by which it would work.
        rows = tables.observation.c.dataset_id == dataset_id
        connection.execute(update(tables.observation).where(rows).values(label=None))


def fresh_predictions(store: Store) -> int:
    """Return how many records of the healthy dataset have their prediction."""
    with store.reading() as connection:
        status = dataset_status(connection, find_dataset(connection, HEALTHY))
    return int(status["enriched"].get("prediction", 0))


@pytest.mark.slow
def test_broken_datasets_are_named_everywhere_and_the_healthy_one_gets_its_predictions(
    sqlite_url: str, tmp_path: Path
) -> None:
    """By the worker that goes on, status, doctor, metrics, /readyz and the dashboard."""
    store = make_store(sqlite_url)
    break_datasets(store, sqlite_url)
    with worker_running(sqlite_url):
        wait_for(lambda: fresh_predictions(store) == RECORDS)
        wait_for(lambda: set(named(sqlite_url)) == set(BROKEN.items()), lambda: named(sqlite_url))
    status = run_command(sqlite_url, "enrich", "status")
    doctor = run_command(sqlite_url, "db", "doctor")
    assert (status.code, doctor.code) == (0, 1)
    with serving(sqlite_url, tmp_path / "log.txt") as site:
        check_web(site)
    for name, subject in BROKEN.items():
        assert f"{name}: {subject} is stopped: " in status.out
        assert f"{subject} of {name}: " in doctor.out
    assert "the teacher's bytes do not match their SHA-256" in status.out
    assert "own: fails on every record; the last: KeyError" in status.out
    store.close()


def named(url: str) -> dict[tuple[str, str], str]:
    """Return the reasons of the faults in the status, by dataset and subject."""
    report = json.loads(run_command(url, "enrich", "status", "--json").out)
    return {(one["dataset"], one["subject"]): one["reason"] for one in report["faults"]}


def check_web(site: Site) -> None:
    """Check what the web process says of the broken datasets, and that it serves the others."""
    ready = site.get("/readyz").json()
    assert ready["status"] == "ready"
    told = {(one["dataset"], one["subject"]): one["reason"] for one in ready["faults"]}
    assert set(told) == set(BROKEN.items())
    assert "is damaged" in told["a-spec", "spec"]
    for dataset, subject in BROKEN.items():
        assert metric(site, "veilleuse_dataset_fault", dataset=dataset, subject=subject) == 1.0
    page = site.get("/", Accept="text/html").body.decode()
    assert "a-spec: spec is stopped" in page
    answer = site.get(f"/predict/{HEALTHY}?sentence=merci+beaucoup+0").json()
    assert answer["source"] == "teacher"


def test_once_enriches_the_healthy_dataset_and_names_the_broken_ones(sqlite_url: str) -> None:
    """It exits with 1, in one line."""
    store = make_store(sqlite_url)
    break_datasets(store, sqlite_url)
    done = run_command(sqlite_url, "enrich", "once")
    assert done.code == 1
    assert fresh_predictions(store) == RECORDS
    store.close()
    [line] = [line for line in done.err.splitlines() if "but not all of" in line]
    assert all(name in line for name in BROKEN)
