"""The web process while its store is down, damaged or locked."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import update

from db.files.importer import import_files
from db.store import tables
from db.store.generation import raise_generation
from enrich.learning.training import train_model
from tests.conftest import ROOT, make_store, register, run_command, sample_spec, settings_for
from tests.integration.conftest import Site, serving, until

from .own_postgres import Server
from .own_postgres import server as server  # noqa: PLC0414  a fixture

DATASET = "customers"
STORED = f"/predict/{DATASET}?age=42&education=Master&income=41500"


def prepare(url: str) -> None:
    """Make a store with an active model that can answer STORED."""
    store = make_store(url)
    # With the default teacher the student would be the teacher, and no input would be recorded.
    spec = structs.replace(sample_spec(DATASET), teacher="tests.store.sample_teachers.mean")
    dataset = register(store, spec)
    import_files(store, dataset, [ROOT / "datasets" / f"{DATASET}.csv"])
    assert train_model(store, DATASET, settings_for(url)).decision.active
    store.close()


@pytest.fixture
def on_postgres(server: Server, tmp_path: Path) -> Iterator[Site]:
    """Yield a web process on a PostgreSQL server that may be stopped."""
    url = server.server.get_uri()
    prepare(url)
    with serving(url, tmp_path / "log.txt", CACHE_ENTRIES="0") as site:
        assert site.get(STORED).json()["source"] == "student"
        until(lambda: site.records(asked=True))
        assert run_command(url, "enrich", "once").code == 0
        until(lambda: site.get(STORED).json()["source"] == "teacher")
        yield site


def test_while_the_store_is_down_the_student_answers_until_it_is_back(
    on_postgres: Site, server: Server
) -> None:
    """Meanwhile the student answers and /readyz fails; afterwards no manual step is needed."""
    for mode in ("fast", "immediate"):
        server.stop(mode)
        until(lambda: on_postgres.get("/readyz").status == 503)
        for number in range(20):
            unseen = f"/predict/{DATASET}?age={number + 20}&education=PhD&income=30000.5"
            assert on_postgres.get(unseen).json()["source"] == "student"
        assert on_postgres.get(STORED).json()["source"] == "student"
        assert on_postgres.get("/livez").status == 200
        # Pages that need the store fail at once; the predict form still works.
        assert on_postgres.get("/", Accept="text/html").status == 503
        assert on_postgres.get(f"/records/{DATASET}").status == 503
        form = on_postgres.get(STORED.replace("predict", "try"), Accept="text/html")
        assert b'data-source="student"' in form.body
        server.start()
        until(lambda: on_postgres.get("/readyz").status == 200)
        until(lambda: on_postgres.get(STORED).json()["source"] == "teacher")


def has_been_asked(site: Site, inputs: str) -> bool:
    """Return whether a record from a request contains this text in its inputs."""
    return any(inputs in row.inputs for row in site.records(asked=True))


def test_inputs_asked_while_the_store_is_down_are_written_afterwards(
    on_postgres: Site, server: Server
) -> None:
    """Unseen inputs wait in the queue until the store is back."""
    server.stop("fast")
    until(lambda: on_postgres.get("/readyz").status == 503)
    answer = on_postgres.get(f"/predict/{DATASET}?age=33&education=PhD&income=777").json()
    assert answer["enrichment"] == "queued"
    server.start()
    until(lambda: on_postgres.get("/readyz").status == 200)
    until(lambda: has_been_asked(on_postgres, '"age":33'))


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Site]:
    """Yield a web process on its own SQLite store."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    prepare(url)
    with serving(url, tmp_path / "log.txt") as site:
        yield site


def test_a_damaged_student_is_not_used(on_sqlite: Site) -> None:
    """A student whose bytes do not match their hash is never loaded."""
    before = on_sqlite.get(STORED).json()
    with on_sqlite.store.writing() as connection:
        wrong = hashlib.sha256(b"other").hexdigest()
        connection.execute(update(tables.model).values(student_sha256=wrong))
        raise_generation(connection)
    until(lambda: "do not match their SHA-256" in on_sqlite.log.read_text())
    reply = on_sqlite.get(STORED)
    assert reply.status == 503 or reply.json()["prediction"] == before["prediction"]
    assert on_sqlite.get("/livez").status == 200


def test_every_request_is_answered_while_the_store_is_locked(on_sqlite: Site) -> None:
    """Unseen inputs wait in the queue until the store is unlocked."""
    path = on_sqlite.url.removeprefix("sqlite:///")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for number in range(20):
        unseen = f"/predict/{DATASET}?age={number + 20}&education=PhD&income=30000.5"
        assert on_sqlite.get(unseen).json()["enrichment"] == "queued"
    holder.execute("ROLLBACK")
    holder.close()
    until(lambda: len(on_sqlite.records(asked=True)) == 20)
