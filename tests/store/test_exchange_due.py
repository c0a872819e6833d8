"""Tests of when imports from users' databases and publications are due."""

from __future__ import annotations

import pytest
from msgspec import structs
from sqlalchemy import Column, update

from db.queue.run_history import begin_run, recorded_run
from db.queue.workers.worker_registry import register_worker, remove_worker
from db.records.dataset import Dataset
from db.records.models.model_versions import NewModel, activate_model, add_model
from db.scoring.student_data import Artifact
from db.settings import Settings
from db.spec.section import EnricherSpec, PublicationSpec, SourceSpec
from db.store import tables
from db.store.store import Store
from enrich.planning.due_command import Due, due_subcommands, is_exchange_due
from enrich.planning.exchange_due import all_missing_variables
from tests.conftest import notes_spec, register

URL = "sqlite:///notes-of-the-shop.db"
SOURCE = SourceSpec(url="SHOP_URL", query="SELECT * FROM notes", every_minutes=60)
PUBLICATION = PublicationSpec(url="CRM_URL", table="tones", every_minutes=60)


def exchanging(store: Store, enrichers: dict[str, EnricherSpec] | None = None) -> Dataset:
    """Register a dataset with a source and a publication."""
    spec = notes_spec(enrichers or {})
    return register(store, structs.replace(spec, source=SOURCE, publish=PUBLICATION))


def run(store: Store, dataset: Dataset, command: str, minutes_ago: float) -> None:
    """Note a run of a command that ended some minutes ago."""
    worker = store.write(register_worker)
    with recorded_run(store, dataset.id, command, worker):
        pass
    age(store, tables.run.c.ended_at, minutes_ago)


def age(store: Store, time: Column[float], minutes: float) -> None:
    """Let something in all rows of a table have happened some minutes earlier."""
    with store.writing() as connection:
        connection.execute(update(time.table).values({time.name: time - 60 * minutes}))


def commands(store: Store, settings: Settings) -> list[str]:
    """Return the commands that are due."""
    return [due.command for due in due_subcommands(store, settings)]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that have the databases' URLs."""
    monkeypatch.setenv("SHOP_URL", URL)
    monkeypatch.setenv("CRM_URL", URL)


@pytest.mark.usefixtures("variables")
def test_an_import_is_due_at_first_and_again_after_its_minutes(
    store: Store, settings: Settings
) -> None:
    """A run that failed counts as well, so that a broken source is not asked all the time."""
    dataset = exchanging(store)
    assert due_subcommands(store, settings) == [Due("import", "notes", "it has not run yet")]
    assert is_exchange_due(store, settings)
    run(store, dataset, "import", minutes_ago=59)
    assert commands(store, settings) == []
    assert not is_exchange_due(store, settings)
    age(store, tables.run.c.ended_at, minutes=2)
    assert commands(store, settings) == ["import"]


@pytest.mark.usefixtures("variables")
def test_an_import_that_another_worker_runs_is_not_due(store: Store, settings: Settings) -> None:
    """It is due again once it has ended, if its time has come."""
    dataset = exchanging(store)
    with recorded_run(store, dataset.id, "import", store.write(register_worker)):
        assert commands(store, settings) == []
        assert not is_exchange_due(store, settings)


@pytest.mark.usefixtures("variables")
def test_predictions_are_published_once_there_is_a_model(store: Store, settings: Settings) -> None:
    """Without a model there is nothing to publish."""
    dataset = exchanging(store)
    run(store, dataset, "import", minutes_ago=0)
    assert commands(store, settings) == []
    artifact = Artifact(b"{}", "")
    with store.writing() as connection:
        version = add_model(
            connection, dataset.id, NewModel({"rows": 0}, {}, artifact, artifact, b"")
        )
        activate_model(connection, dataset, version)
    assert commands(store, settings) == ["publish"]


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize("is_registered", [True, False])
def test_an_import_that_was_killed_is_due_again_after_its_minutes(
    store: Store, settings: Settings, *, is_registered: bool
) -> None:
    """It ended when its worker was last seen, or when it began if the worker was removed."""
    dataset = exchanging(store)
    worker = store.write(register_worker)
    store.write(lambda connection: begin_run(connection, dataset.id, "import", worker))
    if is_registered:
        age(store, tables.run.c.started_at, minutes=100)
        age(store, tables.worker.c.seen_at, minutes=50)
    else:
        age(store, tables.run.c.started_at, minutes=50)
        store.write(lambda connection: remove_worker(connection, worker))
    assert commands(store, settings) == []
    assert not is_exchange_due(store, settings)
    for time in (tables.run.c.started_at, tables.worker.c.seen_at):
        age(store, time, minutes=20)
    (due,) = due_subcommands(store, settings)
    assert due.command == "import"
    assert due.reason.startswith("it last ran at ")


@pytest.mark.usefixtures("variables")
def test_what_has_failed_for_the_same_reason_is_left_out(store: Store, settings: Settings) -> None:
    """Another reason makes it due again."""
    dataset = exchanging(store)
    failed = set(due_subcommands(store, settings))
    assert not is_exchange_due(store, settings, failed)
    run(store, dataset, "import", minutes_ago=61)
    assert is_exchange_due(store, settings, failed)


def test_a_worker_without_the_url_leaves_the_import_to_others(
    store: Store, settings: Settings
) -> None:
    """It can say which variable it lacks."""
    exchanging(store)
    assert commands(store, settings) == []
    with store.reading() as connection:
        missing = all_missing_variables(connection)
    assert missing == {("notes", "SHOP_URL"), ("notes", "CRM_URL")}


@pytest.mark.usefixtures("variables")
def test_rows_are_imported_although_an_enricher_cannot_be_found(
    store: Store, settings: Settings
) -> None:
    """The enricher's fault is reported elsewhere."""
    exchanging(store, {"gone": EnricherSpec(use="no.such.Enricher")})
    assert commands(store, settings) == ["import"]
