"""Everything works through PgBouncer in transaction mode, and leaves nothing in its sessions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from db.admin.doctor import examine
from db.admin.store_status import store_status
from db.spec.section import EnricherSpec
from db.store.dialect import import_lock
from db.store.store import Store, connect_store
from enrich.learning.training import train_model
from tests.conftest import (
    ROOT,
    WORDS_TEACHER,
    Done,
    command_environment,
    make_store,
    notes_spec,
    register,
    run_command,
    sample_spec,
    settings_for,
)
from tests.postgres import Server

from .conftest import API_KEY, query, serving, until
from .test_worker import fill, worker_running

SPEC = notes_spec({"text_profile": EnricherSpec()}, WORDS_TEACHER)
# What is left for the next client of a session; a pooler itself sets the first of them.
LEFT = """
SELECT name || '=' || setting FROM pg_settings
WHERE source = 'session' AND name NOT IN
  ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements
UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory'
"""


@pytest.fixture
def pooled(postgres: Callable[[], str], pooler: Callable[[str], str]) -> str:
    """Return the URL of an empty database behind PgBouncer."""
    return pooler(postgres())


def run(url: str, *arguments: str) -> Done:
    """Run a command that must succeed."""
    done = run_command(url, *arguments)
    assert done.code == 0, (arguments, done.err)
    return done


def left_in_sessions(url: str) -> set[str]:
    """Return the state that all sessions of a pooler have, which other clients share."""
    found = set()
    with ExitStack() as opened:
        for _ in range(4):
            connection = opened.enter_context(psycopg.connect(url, prepare_threshold=None))
            # Its transaction stays open, so that the next one has another session.
            found |= {row[0] for row in connection.execute(LEFT.encode()).fetchall()}
    return found


def test_every_process_works_through_pgbouncer(pooled: str, tmp_path: Path) -> None:
    """A hosted PostgreSQL often offers nothing else."""
    store = make_store(pooled)
    fill(store, register(store, SPEC), 0, 60)
    assert train_model(store, "notes", settings_for(pooled)).decision.active
    unseen = f"/predict/notes?{query(sentence='merci quand même')}"
    with serving(pooled, tmp_path / "log.txt") as site:
        assert site.get(unseen).json()["source"] == "student"
        row = {"sentence": "merci à tous", "tone": "warm"}
        assert site.post("/records/notes", [row], API_KEY).status == 200
        with worker_running(pooled):
            until(lambda: site.get(unseen).json()["source"] == "teacher")
        assert site.get("/records/notes?format=json").status == 200
        assert site.get("/readyz").status == 200
    run(pooled, "enrich", "once", "notes")
    (status,) = store_status(store)["datasets"]
    assert (status["records"], status["enriched"]["prediction"]) == (62, 62)
    assert not [one for one in examine(settings_for(pooled), store) if one.level == "fault"]
    run(pooled, "db", "drop", "notes", "--yes")
    store.close()
    assert left_in_sessions(pooled) == set()


def test_a_users_database_may_be_behind_pgbouncer(pooled: str) -> None:
    """Its other clients get no session that only reads, or with our statements in it."""
    store = make_store(pooled)
    register(store, sample_spec("customers"))
    with store.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE public.people AS SELECT n AS id, mod(n, 90) AS age, 'PhD' AS education,"
            " 1000.0 * n AS income, 3.0 * n AS spending FROM generate_series(1, 2500) n"
        )
    store.close()
    people = "SELECT age, education, income, spending FROM public.people"
    for _ in range(2):
        run(pooled, "db", "import", "customers", "--from", pooled, "--query", people)
    assert left_in_sessions(pooled) == set()


def test_an_import_through_pgbouncer_keeps_others_out_until_its_process_dies(
    pooled: str, postgres_server: Server
) -> None:
    """Also where the server ends transactions that are idle: this one is meant to be."""
    name = make_url(pooled).database
    with psycopg.connect(postgres_server.server.get_uri(), autocommit=True) as connection:
        limit = f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '100ms'"
        connection.execute(limit.encode())
    holder = (
        "import time; from tests.conftest import settings_for;"
        "from db.store.dialect import import_lock; from db.store.store import connect_store\n"
        f"with import_lock(connect_store(settings_for({pooled!r})).reader, 1) as free:\n"
        "    print(free, flush=True); time.sleep(600)"
    )
    store = connect_store(settings_for(pooled))
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        cwd=ROOT,
        env=command_environment(pooled),
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "True\n"
            with store.reading() as connection:
                connection.exec_driver_sql("SELECT pg_sleep(1)")
            assert not _is_free(store)
        finally:
            running.kill()
    until(lambda: _is_free(store))
    store.close()


def _is_free(store: Store) -> bool:
    with import_lock(store.reader, 1) as is_free:
        return is_free
