"""A web process whose student is stored with damaged bytes."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import find_dataset
from db.records.models.model_versions import activate_model
from db.records.models.trained_model import active_model, read_student
from db.scoring.student_data import decode_student, encode_student
from db.store import tables
from db.store.generation import raise_generation
from db.store.store import Store, connect_store
from enrich.learning.training import train_model
from tests.conftest import sample_spec, settings_for
from tests.integration.answers import TAUGHT, teach
from tests.integration.clients import PREDICT, asking
from tests.integration.conftest import Site, query, serving_copy, until

OTHER = "/predict/customers?age=42&education=Master&income=41500"
DAMAGED = "do not match their SHA-256"
UNUSABLE = "the student cannot be used"


@contextmanager
def served(trained: Path, folder: Path, *damaged: str) -> Iterator[Site]:
    """Run a server on a store in which the students of these datasets are damaged."""
    copied = folder / "before"
    # The first server only prepares the store; its log is not read.
    with serving_copy(trained, copied) as first:
        teach(first.store)
        for name in damaged:
            damage(first.store, name)
    with serving_copy(copied / trained.name, folder / "own", ready="/livez") as site:
        yield site


def damage(store: Store, name: str) -> bytes:
    """Change one bit of the active student's bytes, and return the original bytes."""
    with store.writing() as connection:
        active = (
            tables.model.c.dataset_id == find_dataset(connection, name).id
        ) & tables.model.c.active
        before: bytes = connection.execute(
            select(tables.model.c.student).where(active)
        ).scalar_one()
        middle = len(before) // 2
        after = before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :]
        connection.execute(update(tables.model).where(active).values(student=after))
        raise_generation(connection)
    return before


def spoil(store: Store, name: str) -> None:
    """Give the active student a bias that is no number, with a SHA-256 that is right."""
    with store.writing() as connection:
        dataset = find_dataset(connection, name)
        model = active_model(connection, dataset.id)
        assert model
        data = decode_student(*astuple(read_student(connection, model)))
        bias = [math.nan] * len(data.bias)
        student, sha256 = encode_student(msgspec.structs.replace(data, bias=bias))
        changed = update(tables.model).where(
            tables.model.c.dataset_id == dataset.id, tables.model.c.active
        )
        connection.execute(changed.values(student=student, student_sha256=sha256))
        raise_generation(connection)


def activate(store: Store, name: str, version: int) -> None:
    """Activate a version, as `python -m enrich activate` does."""
    with store.writing() as connection:
        activate_model(connection, find_dataset(connection, name), version)


def check_only_stored_answers(site: Site, number: int) -> None:
    """Fail unless stored answers are served and every other prediction is refused with 503."""
    assert site.predict(TAUGHT)["source"] == "teacher"
    unseen = site.get(f"/predict/intents?{query(sentence=f'une phrase neuve {number}')}")
    assert (unseen.status, unseen.content_type) == (503, "application/problem+json")
    assert int(unseen.headers["Retry-After"]) > 0
    assert site.get("/livez").status == 200


def wait_for_new_generation(site: Site) -> None:
    """Raise the generation and wait until the web process serves it."""
    before = site.log.read_text().count("serving generation")
    with site.store.writing() as connection:
        raise_generation(connection)
    until(lambda: site.log.read_text().count("serving generation") > before)


def test_a_student_that_is_damaged_while_it_serves_goes_on_serving(
    trained: Path, tmp_path: Path
) -> None:
    """The student in memory was undamaged when it was read, and it is not read again."""
    with served(trained, tmp_path) as site:
        before = site.get(PREDICT).json()
        with asking(site):
            damage(site.store, "intents")
            wait_for_new_generation(site)
        assert site.get(PREDICT).json() == {**before, "enrichment": "queued"}
        assert site.predict(TAUGHT)["source"] == "teacher"
        assert site.get("/readyz").status == 200


def test_a_student_that_is_damaged_at_the_start_is_left_out(trained: Path, tmp_path: Path) -> None:
    """The log names the student, and the process is ready: it serves everything else."""
    with served(trained, tmp_path, "intents") as site:
        until(lambda: DAMAGED in site.log.read_text())
        (line,) = [each for each in site.log.read_text().splitlines() if DAMAGED in each]
        assert "intents@1" in line
        check_only_stored_answers(site, 1)
        # The other dataset's student is its teacher.
        assert site.get(OTHER).json()["source"] == "teacher"
        assert site.get("/readyz").status == 200


def test_a_student_whose_numbers_would_make_no_answer_is_left_out(
    trained: Path, tmp_path: Path
) -> None:
    """Its bytes match their SHA-256, but it was never written by training."""
    with served(trained, tmp_path) as first:
        spoil(first.store, "customers")
    with serving_copy(tmp_path / "own" / trained.name, tmp_path / "next") as site:
        until(lambda: UNUSABLE in site.log.read_text())
        (line,) = [each for each in site.log.read_text().splitlines() if UNUSABLE in each]
        assert "customers@1" in line
        assert "train a new model" in line
        assert site.get(OTHER).status == 503
        assert site.get(f"/explain/{OTHER.removeprefix('/predict/')}").status == 503
        assert site.get(PREDICT).status == 200


def test_a_process_without_an_undamaged_student_is_not_ready(trained: Path, tmp_path: Path) -> None:
    """Routers send requests elsewhere; requests that still arrive get stored answers."""
    with served(trained, tmp_path, "intents", "customers") as site:
        until(lambda: site.log.read_text().count(DAMAGED) == 2)
        assert site.get("/readyz").status == 503
        check_only_stored_answers(site, 1)
        assert site.get(OTHER).status == 503


def test_training_replaces_a_student_that_was_damaged_at_the_start(
    trained: Path, tmp_path: Path
) -> None:
    """The new student is served without a restart."""
    with served(trained, tmp_path, "intents", "customers") as site:
        assert site.get("/readyz").status == 503
        assert train_model(site.store, "customers", settings_for(site.url)).decision.active
        until(lambda: site.get("/readyz").status == 200)
        assert site.get(OTHER).json()["model"] == "customers@2"
        check_only_stored_answers(site, 1)


def test_restored_student_bytes_are_served_after_the_next_activation(
    trained: Path, tmp_path: Path
) -> None:
    """The bytes may come from a backup, for example."""
    with served(trained, tmp_path) as first:
        before = damage(first.store, "intents")
    with serving_copy(tmp_path / "own" / trained.name, tmp_path / "next") as site:
        check_only_stored_answers(site, 1)
        with site.store.writing() as connection:
            active = (
                tables.model.c.dataset_id == find_dataset(connection, "intents").id
            ) & tables.model.c.active
            connection.execute(update(tables.model).where(active).values(student=before))
        activate(site.store, "intents", 1)
        until(lambda: site.get(PREDICT).status == 200)
        assert site.get(PREDICT).json()["source"] == "student"


@pytest.fixture(scope="module")
def two_versions(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two versions of a model, of which the second is active."""
    path = tmp_path_factory.mktemp("versions") / trained.name
    shutil.copy(trained, path)
    settings = settings_for(f"sqlite:///{path}")
    store = connect_store(settings)
    spec = sample_spec("intents")
    with store.writing() as connection:
        # A second training on the same records would make the same student.
        sentences = [f"achète le billet numéro {number}" for number in range(20)]
        inputs = [spec.read_inputs({"sentence": sentence}) for sentence in sentences]
        rows = [NewRow(spec.key(each), each, "purchase") for each in inputs]
        add_rows(connection, find_dataset(connection, "intents"), rows, "import")
    assert train_model(store, "intents", settings).version == 2
    activate(store, "intents", 2)
    store.close()
    return path


@pytest.fixture
def twice_trained(two_versions: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server on a store with two versions of a model."""
    with served(two_versions, tmp_path) as site:
        assert site.get(PREDICT).json()["model"] == "intents@2"
        yield site


def test_activating_a_damaged_version_stops_student_answers_until_another_is_activated(
    twice_trained: Site,
) -> None:
    """Each activation logs the damage, and no restart is needed."""
    site = twice_trained
    damage(site.store, "intents")
    for count in (1, 2):
        activate(site.store, "intents", 1)
        until(lambda: site.get(PREDICT).json().get("model") == "intents@1")
        activate(site.store, "intents", 2)
        until(lambda: site.get(PREDICT).status == 503)
        check_only_stored_answers(site, count)
        until(lambda wanted=count: site.log.read_text().count(DAMAGED) == wanted)  # type: ignore[misc]
        assert site.get("/readyz").status == 200
    activate(site.store, "intents", 1)
    until(lambda: site.get(PREDICT).status == 200)
    assert site.get(PREDICT).json()["source"] == "student"


def test_a_restart_with_a_damaged_student_serves_stored_answers(twice_trained: Site) -> None:
    """A restart is a SIGHUP, or a platform that restarts its processes every night."""
    site = twice_trained
    until(lambda: site.log.read_text().count("listens on") == 1)
    damage(site.store, "intents")
    site.process.send_signal(signal.SIGHUP)
    until(lambda: site.log.read_text().count("listens on") == 2)
    check_only_stored_answers(site, 1)
    assert site.get(OTHER).status == 200
    assert DAMAGED in site.log.read_text()
