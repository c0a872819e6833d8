"""Tests of `python -m db doctor`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from db.admin import doctor
from db.admin.doctor import examine
from db.admin.finding import Finding
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.workers.worker_registry import WorkerReport, record_heartbeat, register_worker
from db.queue.workers.worker_row import SILENT_SECONDS
from db.records.models.model_versions import NewModel, activate_model, add_model
from db.scoring.student_data import Artifact
from db.settings import Settings
from db.store import tables
from db.store.store import Store, connect_store
from tests.conftest import make_store, notes_spec, register, run_command, settings_for
from tests.empty_store import migrate


def findings(settings: Settings, store: Store) -> dict[str, Finding]:
    """Return the findings by subject."""
    return {finding.subject: finding for finding in examine(settings, store)}


def test_a_store_without_datasets_is_a_fault_with_the_command_that_fixes_it(
    settings: Settings, store: Store
) -> None:
    """Without a dataset nothing can be predicted."""
    reported = findings(settings, store)
    assert reported["store"].level == "good"
    assert reported["clock"].level == "good"
    assert (reported["datasets"].level, reported["datasets"].remedy) == (
        "fault",
        "python -m db load datasets/intents.toml",
    )


def test_a_dataset_without_a_model_is_a_fault(settings: Settings, store: Store) -> None:
    """The finding names the command that makes a model."""
    dataset = register(store, notes_spec({}))
    finding = findings(settings, store)["dataset notes"]
    train = "python -m enrich train notes"
    remedy = f"import labelled rows: python -m db import notes FILE; then {train}"
    assert (finding.level, finding.remedy) == ("fault", remedy)
    inputs = dataset.spec.read_inputs({"sentence": "bonjour"})
    row = NewRow(dataset.spec.key(inputs), inputs, "warm")
    with store.writing() as connection:
        add_rows(connection, dataset, [row], "import")
    assert findings(settings, store)["dataset notes"].remedy == train


def test_silent_workers_are_a_warning(settings: Settings, store: Store) -> None:
    """A store in which no worker ever registered gets a message of its own."""
    assert findings(settings, store)["workers"].message.startswith("none is registered")
    with store.writing() as connection:
        register_worker(connection)
    assert findings(settings, store)["workers"].level == "good"
    with store.writing() as connection:
        long_ago = tables.worker.c.seen_at - SILENT_SECONDS - 60
        connection.execute(update(tables.worker).values(seen_at=long_ago))
    finding = findings(settings, store)["workers"]
    message = "none is running; the last heartbeat was 3 min ago"
    assert (finding.level, finding.message) == ("warning", message)


def test_a_worker_that_fails_or_is_silent_is_not_good(settings: Settings, store: Store) -> None:
    """The finding has the reason and what to do."""
    error = "EnricherError: http needs httpx; pip install httpx"
    with store.writing() as connection:
        worker = register_worker(connection)
        failing = WorkerReport("open", time.time(), error=error, error_at=time.time())
        record_heartbeat(connection, worker, failing)
    finding = findings(settings, store)["workers"]
    message = f"running: 1; worker {worker} is failing: EnricherError: http needs httpx"
    assert (finding.level, finding.message) == ("fault", message)
    assert finding.remedy == "pip install httpx"
    with store.writing() as connection:
        a_minute_ago = tables.worker.c.seen_at - 60
        connection.execute(update(tables.worker).values(seen_at=a_minute_ago))
    finding = findings(settings, store)["workers"]
    assert finding.level == "warning"
    assert f"worker {worker} is silent: no report for " in finding.message


def test_a_store_that_cannot_be_reached_ends_the_examination(tmp_path: Path) -> None:
    """The findings about the machine are still reported."""
    settings = settings_for(f"sqlite:///{tmp_path}/none.db")
    reported = findings(settings, connect_store(settings))
    assert reported["store"].remedy == "run: python -m db upgrade"
    assert reported["versions"].level == "good"
    assert "workers" not in reported


def test_doctor_fails_on_a_fault_and_with_strict_also_on_a_warning(
    sqlite_url: str,
) -> None:
    """A deployment can rely on the exit code."""
    make_store(sqlite_url).close()
    empty = run_command(sqlite_url, "db", "doctor")
    assert empty.code == 1
    assert "fault    datasets: none is registered\n         python -m db load" in empty.out
    store = make_store(sqlite_url)
    dataset = register(store, notes_spec({}))
    with store.writing() as connection:
        activate_model(connection, dataset, add_model(connection, dataset.id, some_model()))
    assert run_command(sqlite_url, "db", "doctor").code == 0
    assert run_command(sqlite_url, "db", "doctor", "--strict").code == 1


def test_a_public_address_without_keys_is_a_warning(store: Store) -> None:
    """An address that only this machine can reach needs no keys."""
    url = "sqlite:///unused.db"
    assert "READ_KEYS" not in findings(settings_for(url), store)
    assert findings(settings_for(url, HOST="0.0.0.0"), store)["READ_KEYS"].level == "warning"  # noqa: S104
    keyed = settings_for(url, HOST="0.0.0.0", READ_KEYS="a-key-of-readers")  # noqa: S104
    assert "READ_KEYS" not in findings(keyed, store)


def test_a_network_disk_is_a_fault(tmp_path: Path) -> None:
    """The deepest mount point counts, and the later of two mounts in one place."""
    mounts = tmp_path / "mounts"
    mounts.write_text("dev / ext4 rw 0 0\nhost:/x /srv nfs4 rw 0 0\ndev /srv/own ext4 rw 0 0\n")
    kind_of = doctor._disk_kind
    assert kind_of(Path("/home/me"), mounts) == "ext4"
    assert kind_of(Path("/srv/shared"), mounts) == "nfs4"
    assert kind_of(Path("/srv/own/here"), mounts) == "ext4"


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (doctor._check_descriptors(1024), "warning"),
        (doctor._check_descriptors(20_000), "good"),
        (doctor._check_poll(has_poll=False), "warning"),
        (doctor._check_clock(0.5), "good"),
        (doctor._check_clock(-3600.0), "warning"),
        (doctor._check_connections(settings_for("", WEB_CONCURRENCY="2"), 1, 100), "good"),
        (doctor._check_connections(settings_for("", WEB_CONCURRENCY="20"), 1, 100), "fault"),
    ],
)
def test_each_finding_that_is_not_good_has_a_remedy(finding: Finding, level: str) -> None:
    """A user can act on every warning and fault."""
    assert finding.level == level
    assert bool(finding.remedy) == (level != "good")


def some_model() -> NewModel:
    """Return a model whose content does not matter."""
    artifact = Artifact(b"{}", "")
    return NewModel({}, {}, artifact, artifact, b"")


def test_files_of_the_store_that_others_may_read_are_a_warning(tmp_path: Path) -> None:
    """New files are their owner's alone; those of an earlier release stay as they are."""
    before = os.umask(0o022)
    try:
        file = tmp_path / "own.db"
        migrate(f"sqlite:///{file}")
        store = make_store(f"sqlite:///{file}")
        register(store, notes_spec({}))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("own.db*")}
    assert set(modes) == {"own.db", "own.db-wal", "own.db-shm"}
    assert set(modes.values()) == {0o600}
    settings = settings_for(f"sqlite:///{file}")
    assert findings(settings, store)["file access"].level == "good"
    file.chmod(0o644)
    finding = findings(settings, store)["file access"]
    assert (finding.level, finding.remedy) == (
        "warning",
        f"chmod 600 {file}, unless they are meant to",
    )
    assert "mode 0644" in finding.message
    store.close()
