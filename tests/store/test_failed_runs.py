"""Tests of how the reason of a failed run is stored and shown."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from db.errors import MOST_REASON_CHARACTERS, ExchangeError
from db.queue.failed_run import failed_runs
from db.queue.run_history import begin_run, recorded_run
from db.queue.workers.worker_registry import register_worker, remove_worker
from db.records.dataset import Dataset
from db.store import tables
from db.store.store import Store
from enrich.commands.status import format_status
from enrich.worker_status import worker_status
from tests.conftest import Done, notes_spec, register


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset."""
    return register(store, notes_spec({}))


def fail(store: Store, dataset: Dataset, error: BaseException, command: str = "import") -> None:
    """Let a command fail."""
    with (
        pytest.raises(type(error)),
        recorded_run(store, dataset.id, command, store.write(register_worker)),
    ):
        raise error


def outcome(store: Store) -> str:
    """Return the outcome of the latest run."""
    with store.reading() as connection:
        query = select(tables.run.c.outcome).order_by(tables.run.c.id.desc())
        return str(connection.execute(query).scalars().first())


def shown(store: Store) -> list[str]:
    """Return the lines of `enrich status` about failed runs, without how long ago they were."""
    lines = [line for line in format_status(worker_status(store)) if " failed " in line]
    return [f"{line.partition(' failed ')[0]}{line.partition(' ago')[2]}" for line in lines]


def test_the_reason_of_a_failure_is_stored_on_one_short_line(store: Store, notes: Dataset) -> None:
    """Whatever is in it, and also if the store itself is the reason."""
    fail(store, notes, ExchangeError("shop:\n no\0such \ud800 table"))
    assert outcome(store) == "failed: shop: no such ? table"
    fail(store, notes, ExchangeError("x" * 1000))
    assert outcome(store) == f"failed: {'x' * (MOST_REASON_CHARACTERS - 1)}…"
    fail(store, notes, ValueError("a secret, perhaps"))
    assert outcome(store) == "failed: ValueError, which the output of the command explains"
    fail(store, notes, KeyboardInterrupt())
    assert outcome(store) == "failed"
    with (
        pytest.raises(Exception, match="nowhere"),
        recorded_run(store, notes.id, "import", store.write(register_worker)),
        store.reading() as connection,
    ):
        connection.execute(text("SELECT 1 FROM nowhere"))
    assert "nowhere" in outcome(store)
    with store.reading() as connection:
        assert len(failed_runs(connection, 10)) == 5


def test_the_status_shows_each_command_that_has_failed_and_not_succeeded_since(
    store: Store, notes: Dataset
) -> None:
    """With the reason, if it is known."""
    assert shown(store) == []
    fail(store, notes, ExchangeError("sqlite:///shop.db: no such table"))
    fail(store, notes, ExchangeError("sqlite:///shop.db: no such column"))
    fail(store, notes, KeyboardInterrupt(), "publish")
    assert shown(store) == [
        "import notes: sqlite:///shop.db: no such column",
        "publish notes",
    ]
    with recorded_run(store, notes.id, "import", store.write(register_worker)) as run:
        run.complete("2 rows")
    assert shown(store) == ["publish notes"]


def test_the_status_shows_a_command_that_was_killed(store: Store, notes: Dataset) -> None:
    """Its worker no longer exists; while it exists, the command may still be running."""
    worker = store.write(register_worker)
    store.write(lambda connection: begin_run(connection, notes.id, "import", worker))
    assert shown(store) == []
    store.write(lambda connection: remove_worker(connection, worker))
    assert shown(store) == ["import notes: its process was killed, or its machine stopped"]


def test_failures_are_in_the_status_as_json(
    store: Store, notes: Dataset, command: Callable[..., Done]
) -> None:
    """With the time on the store's clock."""
    fail(store, notes, ExchangeError("no such table"))
    report = json.loads(command("enrich", "status", "--json").out)
    [failure] = report["failures"]
    assert failure.pop("ended_at") <= report["now"]
    assert failure == {"dataset": "notes", "command": "import", "reason": "no such table"}
