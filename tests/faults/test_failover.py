"""A standby takes the primary's place while a web process and a worker run."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from db.spec.section import EnricherSpec
from db.store import tables
from enrich.learning.training import train_model
from tests.conftest import (
    ROOT,
    WORDS_TEACHER,
    command_environment,
    make_store,
    notes_spec,
    register,
    settings_for,
)
from tests.integration.conftest import API_KEY, Site, query, serving, until
from tests.integration.test_worker import fill
from tests.processes import PATIENCE_SECONDS
from tests.standby import Standby, following

from .own_postgres import Server
from .own_postgres import server as server  # noqa: PLC0414  a fixture

SPEC = notes_spec({"text_profile": EnricherSpec()}, WORDS_TEACHER)


class Client(threading.Thread):
    """Adds records one after the other, and keeps those that the server has acknowledged."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self._site = site
        self.acknowledged: list[str] = []
        self.is_over = False

    def run(self) -> None:
        """Add records until it is over; what is refused is not added again."""
        number = 0
        while not self.is_over:
            number += 1
            row = {"sentence": f"merci numéro {number}", "tone": "warm"}
            if self._site.post("/records/notes", [row], API_KEY).status == 200:
                self.acknowledged.append(row["sentence"])
            time.sleep(0.02)


@pytest.fixture
def standby(server: Server) -> Iterator[Standby]:
    """Yield the standby of a server that no other test uses."""
    with following(server) as running:
        yield running


@contextmanager
def worker_running(url: str, log: Path) -> Iterator[None]:
    """Run a worker, which must end cleanly on SIGTERM."""
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "enrich", "run", "--now"],
            cwd=ROOT,
            env=command_environment(url),
            stdout=out,
            stderr=out,
        ) as running,
    ):
        try:
            yield
        finally:
            running.terminate()
            running.wait(PATIENCE_SECONDS)
    assert running.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def test_after_a_failover_web_and_worker_go_on_at_the_new_primary(
    server: Server, standby: Standby, tmp_path: Path
) -> None:
    """Nothing that was acknowledged is lost, and nobody restarts a process."""
    url = standby.url("postgres")
    store = make_store(url)
    fill(store, register(store, SPEC), 0, 60)
    assert train_model(store, "notes", settings_for(url)).decision.active
    log = tmp_path / "worker.txt"
    with serving(url, tmp_path / "web.txt") as site, worker_running(url, log):
        client = Client(site)
        client.start()
        until(lambda: len(client.acknowledged) > 20)
        # A worker that starts while no store answers ends with an error, as its manager should see.
        until(lambda: "has started" in log.read_text())
        server.stop("immediate")
        until(lambda: site.get("/readyz").status == 503)
        unseen = f"/predict/notes?{query(sentence='pendant la panne')}"
        assert site.get(unseen).json()["source"] == "student"
        before = len(client.acknowledged)
        began = time.monotonic()
        standby.promote()
        until(lambda: site.get("/readyz").status == 200)
        logging.getLogger(__name__).info("ready in %.1f s", time.monotonic() - began)
        until(lambda: len(client.acknowledged) > before + 20)
        client.is_over = True
        client.join(PATIENCE_SECONDS)
        until(lambda: site.get(unseen).json()["source"] == "teacher")
        until(lambda: not site.records(chunk_id=None, revision=0))
        stored = {record.inputs for record in site.records()}
    assert [text for text in client.acknowledged if not any(text in one for one in stored)] == []
    with store.reading() as connection:
        counted = connection.execute(select(tables.quarantine.c.record_id)).all()
    assert counted == []
    store.close()
