"""Files go from a browser to a worker and back, with a real server and a real worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from db.jobs.job import DONE, Job, find_job
from tests.conftest import ROOT, command_environment, run_command
from tests.processes import wait_for

from .conftest import API_KEY, Reply, Site, serving_copy

MIB = 2**20
SIGNED_IN = {"Authorization": f"Bearer {API_KEY}"}


def upload(site: Site, target: str, name: str, data: bytes) -> Reply:
    """Send a form with a file."""
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--edge--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=edge"}
    return site.ask("POST", target, body, {**SIGNED_IN, **form})


def job(site: Site, job_id: int) -> Job:
    """Return a job, which there must be."""
    with site.store.reading() as connection:
        found = find_job(connection, job_id)
    assert found is not None
    return found


@contextmanager
def worker(site: Site, log: Path) -> Iterator[None]:
    """Run a worker for the block."""
    with log.open("wb") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", "enrich", "run", "--now"],
            cwd=ROOT,
            env=command_environment(site.url),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait()


def test_files_come_back_predicted_become_drafts_and_tell_labels(
    trained: Path, tmp_path: Path
) -> None:
    """The file is larger than other bodies may be, and the worker's folders are not shown."""
    # A wide column, which the dataset does not have, is kept as it is.
    header, *rows = (ROOT / "datasets" / "customers.csv").read_text("utf-8").splitlines()
    note = "x" * (3 * MIB // len(rows))
    table = "\n".join([f"{header},note", *(f"{row},{note}" for row in rows)]) + "\n"
    with serving_copy(trained, tmp_path / "site") as site:
        assert upload(site, "/batch/customers", "clients.csv", table.encode()).status == 303
        assert upload(site, "/add", "towns.csv", b"town,kind\nLyon,a\n,b\n").status == 303
        assert upload(site, "/add", "broken.xlsx", b"PK\x03\x04").status == 303
        truth = b"age,education,income,spending\n42,Master,41500,9000\n42,Master,x,9000\n"
        assert upload(site, "/production/customers", "truth.csv", truth).status == 303
        with worker(site, tmp_path / "worker.txt"):
            wait_for(lambda: job(site, 4).is_finished)
        assert [job(site, one).state for one in (1, 2, 3)] == [DONE, DONE, "failed"]
        reply = site.ask("GET", "/jobs/1/result", headers=SIGNED_IN)
        source, expected = tmp_path / "clients.csv", tmp_path / "expected.csv"
        source.write_text(table, "utf-8")
        command = partial(run_command, site.url, "db", "predict", "customers")
        assert command(str(source), "--out", str(expected)).code == 0
        assert reply.body == expected.read_bytes()
        assert "clients-predictions.csv" in reply.headers["Content-Disposition"]
        assert job(site, 1).result["rows"] == len(rows)
        draft = job(site, 2).result["draft"]
        assert (draft["target"], draft["names"]) == ("kind", ["town", "kind"])
        assert job(site, 3).error.startswith("broken.xlsx: ")
        told = job(site, 4).result
        assert (told["rows"], told["added"], told["errors"]) == (1, 1, 1)
        assert told["faults"][0].startswith("truth.csv:3: income: ")
