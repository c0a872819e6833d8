"""A store that answers nothing: a network that swallows packets, and tables that are locked.

`VEILLEUSE_FAULTS=full` has 32 clients and a silence of 20 seconds, and checks how long they wait.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.conftest import run_command
from tests.integration.conftest import API_KEY, Reply, Site, serving, until
from tests.postgres import Server, running_postgres
from tests.silent_proxy import SilentProxy, proxy_to

from .conftest import FULL
from .test_restarted_store import worker_running
from .test_web_without_store import DATASET, STORED, prepare

CLIENTS = 32 if FULL else 8
SILENT_SECONDS = 20.0 if FULL else 0.0
# The code waited as long as the fault lasted, here a time without an end.
ANSWER_SECONDS = 60.0
MOST_WAIT_SECONDS = 3.0
QUEUE_ENTRIES = 10_000
numbers = itertools.count()


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Server]:
    """Yield a PostgreSQL with a dataset and its model."""
    with running_postgres() as running:
        prepare(running.server.get_uri())
        yield running


@pytest.fixture(scope="module")
def proxy(postgres_server: Server) -> Iterator[SilentProxy]:
    """Yield the network between the web process and its store."""
    folder = postgres_server.server.get_uri().partition("?host=")[2]
    with proxy_to(f"{folder}/.s.PGSQL.5432") as running:
        yield running


@pytest.fixture(scope="module")
def site(
    postgres_server: Server, proxy: SilentProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield a web process whose store has a stored prediction for STORED."""
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
    with serving(url, tmp_path_factory.mktemp("silent") / "log.txt", CACHE_ENTRIES="0") as running:
        running.get(STORED)
        until(lambda: running.records(asked=True))
        assert run_command(postgres_server.server.get_uri(), "enrich", "once").code == 0
        until(lambda: running.get(STORED).json()["source"] == "teacher")
        yield running


@contextmanager
def silence(proxy: SilentProxy) -> Iterator[None]:
    """Let the network swallow everything during the block."""
    proxy.is_silent = True
    try:
        yield
    finally:
        proxy.is_silent = False


@contextmanager
def held(server: Server, statement: str) -> Iterator[None]:
    """Hold the locks of a statement during the block; {} in it is the schema of the tables."""
    with psycopg.connect(server.server.get_uri()) as connection:
        query = "SELECT schemaname FROM pg_tables WHERE tablename = 'prediction'"
        row = connection.execute(query).fetchone()
        assert row is not None
        connection.execute(statement.replace("{}", row[0]).encode())
        yield
        connection.rollback()


def unseen() -> str:
    """Return the address of inputs that nobody has asked yet."""
    return f"/predict/{DATASET}?age=42&education=PhD&income={100_000 + next(numbers)}"


def timed(site: Site, target: str) -> tuple[Reply, float]:
    """Return the reply to a request, and how long it took."""
    began = time.monotonic()
    return site.get(target), time.monotonic() - began


def ask_unseen(site: Site, seconds: float) -> tuple[int, int, float]:
    """Ask at least five unseen inputs.

    Return how many, how many of them were called queued, and the longest wait for an answer.
    """
    asked, queued, longest, ends = 0, 0, 0.0, time.monotonic() + seconds
    while asked < 5 or time.monotonic() < ends:
        reply, waited = timed(site, unseen())
        answer = reply.json()
        assert (reply.status, answer["source"]) == (200, "student")
        asked, longest = asked + 1, max(longest, waited)
        queued += answer["enrichment"] == "queued"
        time.sleep(0.02)
    return asked, queued, longest


def not_ready_after(site: Site) -> float:
    """Return after how many seconds /readyz answers 503."""
    began = time.monotonic()
    until(lambda: site.get("/readyz").status == 503)
    return time.monotonic() - began


def asked_count(site: Site) -> int:
    """Return how many inputs have been recorded."""
    return len(site.records(asked=True))


def test_every_request_is_answered_while_the_store_is_silent(
    site: Site, proxy: SilentProxy
) -> None:
    """The student answers, pages fail at once, and all that was queued is written afterwards."""
    before = asked_count(site)
    with ThreadPoolExecutor(CLIENTS + 1) as clients, silence(proxy):
        readiness = clients.submit(not_ready_after, site)
        asking = [clients.submit(ask_unseen, site, SILENT_SECONDS) for _ in range(CLIENTS)]
        results = [one.result(SILENT_SECONDS + ANSWER_SECONDS) for one in asking]
        not_ready = readiness.result(ANSWER_SECONDS)
        assert site.get(STORED).json()["source"] == "student"
        assert site.get(f"/records/{DATASET}").status == 503
        rows = [{"age": 5, "education": "PhD", "income": 1}]
        assert site.post(f"/records/{DATASET}", rows, API_KEY).status == 503
    ended = time.monotonic()
    until(lambda: site.get("/readyz").status == 200)
    recovery = time.monotonic() - ended
    assert site.get(STORED).json()["source"] == "teacher"
    asked, queued = sum(one[0] for one in results), sum(one[1] for one in results)
    longest = max(one[2] for one in results)
    assert queued >= min(asked, QUEUE_ENTRIES)
    until(lambda: asked_count(site) == before + queued)
    report = (
        f"{asked:,} unseen inputs, {queued:,} of them queued and written; longest wait"
        f" {longest:.2f} s, /readyz 503 after {not_ready:.2f} s, recovery after {recovery:.2f} s"
    )
    print(report)  # noqa: T201
    assert not FULL or max(longest, not_ready, recovery) <= MOST_WAIT_SECONDS, report


def test_the_student_answers_while_the_predictions_are_locked(
    site: Site, postgres_server: Server
) -> None:
    """The store is up otherwise, and the teacher's answers come back with the lock's end."""
    with held(postgres_server, "LOCK TABLE {}.prediction"):
        replies = [timed(site, STORED) for _ in range(5)]
        assert {reply.json()["source"] for reply, _ in replies} == {"student"}
        until(lambda: site.get("/readyz").status == 503)
    until(lambda: site.get("/readyz").status == 200)
    assert site.get(STORED).json()["source"] == "teacher"


def test_writes_that_wait_for_a_lock_hold_up_no_other_request(
    site: Site, postgres_server: Server
) -> None:
    """There are as many as threads that answer; each gets 503, and nothing of it is written."""
    rows = [
        {"age": 42, "education": "Master", "income": 41500, "spending": 9_000 + number}
        for number in range(4)
    ]
    locked = held(postgres_server, "SELECT 1 FROM {}.record FOR UPDATE")
    with ThreadPoolExecutor(4) as clients, locked:
        posting = [clients.submit(site.post, f"/records/{DATASET}", [row], API_KEY) for row in rows]
        assert site.get(STORED).json()["source"] == "teacher"
        replies = [one.result(ANSWER_SECONDS) for one in posting]
    assert [reply.status for reply in replies] == [503] * 4, [reply.body for reply in replies]


def test_a_worker_ends_while_its_store_is_silent(
    site: Site, proxy: SilentProxy, tmp_path: Path
) -> None:
    """A statement that is never answered does not keep it from ending on SIGTERM."""
    log = tmp_path / "worker"
    with worker_running(site.url, log) as worker:
        until(lambda: "has started" in log.read_text("utf-8"))
        with silence(proxy):
            until(lambda: site.get("/readyz").status == 503)
            worker.terminate()
            assert worker.wait(ANSWER_SECONDS) == 0, log.read_text("utf-8")
    assert "Traceback" not in log.read_text("utf-8")
