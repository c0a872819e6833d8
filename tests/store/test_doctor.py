"""What `python -m db doctor` finds in a store, and says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from db.admin import doctor
from db.admin.doctor import Finding, examine
from db.queue.worker import SILENT_SECONDS, register_worker
from db.records.model import Artifact, NewModel, activate_model, add_model
from db.records.record import NewRecord, add_records
from db.settings import Settings
from db.store import tables
from db.store.engine import Store, connect_store
from tests.conftest import make_store, notes_spec, register, run_command, settings_for


def found(settings: Settings, store: Store) -> dict[str, Finding]:
    """Return what is said, by what it is about."""
    return {one.about: one for one in examine(settings, store)}


def test_a_store_without_datasets_is_a_fault_with_the_command_that_mends_it(
    settings: Settings, store: Store
) -> None:
    """Nothing can be predicted from it."""
    said = found(settings, store)
    assert said["store"].word == "good"
    assert said["clock"].word == "good"
    assert (said["datasets"].word, said["datasets"].mend) == (
        "fault",
        "python -m db load datasets/intents.toml",
    )


def test_a_dataset_without_a_model_is_a_fault(settings: Settings, store: Store) -> None:
    """And the command that makes one is named."""
    dataset = register(store, notes_spec({}))
    said = found(settings, store)["dataset notes"]
    train = "python -m enrich train notes"
    mend = f"python -m db import notes FILE, with labels; then {train}"
    assert (said.word, said.mend) == ("fault", mend)
    inputs = dataset.spec.read_inputs({"sentence": "bonjour"})
    row = NewRecord(dataset.spec.key(inputs), inputs, "warm")
    with store.writing() as connection:
        add_records(connection, dataset.id, [row], "import")
    assert found(settings, store)["dataset notes"].mend == train


def test_workers_that_fell_silent_are_told(settings: Settings, store: Store) -> None:
    """As is that there never was one."""
    assert found(settings, store)["workers"].says.startswith("there are none")
    with store.writing() as connection:
        register_worker(connection)
    assert found(settings, store)["workers"].word == "good"
    with store.writing() as connection:
        long_ago = tables.worker.c.seen_at - SILENT_SECONDS - 60
        connection.execute(update(tables.worker).values(seen_at=long_ago))
    said = found(settings, store)["workers"]
    assert (said.word, said.says) == ("warning", "1 were there, and have said nothing for 3 min")


def test_a_store_that_cannot_be_reached_ends_the_examination(tmp_path: Path) -> None:
    """What was seen of the machine is said all the same."""
    settings = settings_for(f"sqlite:///{tmp_path}/none.db")
    said = found(settings, connect_store(settings))
    assert said["store"].mend == "run: python -m db upgrade"
    assert said["versions"].word == "good"
    assert "workers" not in said


def test_it_fails_where_there_is_a_fault_and_strictly_where_there_is_a_warning(
    sqlite_url: str,
) -> None:
    """So that a deploy can ask it."""
    make_store(sqlite_url).close()
    empty = run_command(sqlite_url, "db", "doctor")
    assert empty.code == 1
    assert "fault    datasets: there are none\n         python -m db load" in empty.out
    store = make_store(sqlite_url)
    dataset = register(store, notes_spec({}))
    with store.writing() as connection:
        activate_model(connection, dataset, add_model(connection, dataset.id, some_model()))
    assert run_command(sqlite_url, "db", "doctor").code == 0
    assert run_command(sqlite_url, "db", "doctor", "--strict").code == 1


def test_a_public_address_without_keys_is_warned_of(store: Store) -> None:
    """One that only this machine reaches is not."""
    url = "sqlite:///unused.db"
    assert "READ_KEYS" not in found(settings_for(url), store)
    assert found(settings_for(url, HOST="0.0.0.0"), store)["READ_KEYS"].word == "warning"  # noqa: S104
    keyed = settings_for(url, HOST="0.0.0.0", READ_KEYS="a-key-of-readers")  # noqa: S104
    assert "READ_KEYS" not in found(keyed, store)


def test_a_disk_of_the_network_is_a_fault(tmp_path: Path) -> None:
    """Whatever is mounted above it: the nearest counts, and of two in one place the later."""
    mounts = tmp_path / "mounts"
    mounts.write_text("dev / ext4 rw 0 0\nhost:/x /srv nfs4 rw 0 0\ndev /srv/own ext4 rw 0 0\n")
    kind_of = doctor._disk_kind
    assert kind_of(Path("/home/me"), mounts) == "ext4"
    assert kind_of(Path("/srv/shared"), mounts) == "nfs4"
    assert kind_of(Path("/srv/own/here"), mounts) == "ext4"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (doctor._descriptors(1024), "warning"),
        (doctor._descriptors(20_000), "good"),
        (doctor._poll(has_poll=False), "warning"),
        (doctor._clock(0.5), "good"),
        (doctor._clock(-3600.0), "warning"),
        (doctor._connections(settings_for("", WEB_CONCURRENCY="2"), 1, 100), "good"),
        (doctor._connections(settings_for("", WEB_CONCURRENCY="20"), 1, 100), "fault"),
    ],
)
def test_each_finding_that_is_not_good_has_a_mend(said: Finding, word: str) -> None:
    """Else it would only be bad news."""
    assert said.word == word
    assert bool(said.mend) == (word != "good")


def some_model() -> NewModel:
    """Return a model of which only its being there matters."""
    nothing = Artifact(b"{}", "")
    return NewModel({}, {}, nothing, nothing, b"")
