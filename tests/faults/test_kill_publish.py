"""`db publish`, killed at random moments and run again, and databases that go away meanwhile."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, NullPool, create_engine, inspect, text

from db.cli.console import run_command
from db.exchange.publication import Destination, PublicationCounts, publish_predictions
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.predictor import open_predictor
from db.spec.field import Inputs
from db.store.store import Store
from tests.conftest import ROOT, command_environment, make_store
from tests.hand_made_student import RENTS, rents, serve_student
from tests.processes import PATIENCE_SECONDS

from .conftest import FULL
from .own_postgres import Server
from .own_postgres import server as server  # noqa: PLC0414  a fixture

ROWS = 30_000 if FULL else 10_000
KILLS = 20 if FULL else 5
# A fifth of the kills come before the first write, at any moment of the start.
EARLY, LATEST_START_SECONDS = 0.2, 1.0
# The longest pause after so many rows are written, which is about one page.
LATEST_SECONDS = 0.1
Scores = dict[str, tuple[object, ...]]


def inputs_of(number: int, version: int = 1) -> Inputs:
    """Return the inputs of a row; every tenth row has others in each version of the data."""
    area = 10.0 + number / 256 + (version if number % 10 == 0 else 0)
    return {"area": area, "town": "Lyon"}


def put(store: Store, dataset: Dataset, rows: int, version: int = 1) -> None:
    """Import all rows in a version."""
    found = [inputs_of(number, version) for number in range(rows)]
    new = [
        NewRow(dataset.spec.key(inputs), inputs, None, f"F{number}")
        for number, inputs in enumerate(found)
    ]
    with store.writing() as connection:
        add_rows(connection, dataset, new, "import")


def engine_of(url: str) -> Engine:
    """Return the user's own connections to the destination."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


@pytest.fixture
def destination(database_url: str, tmp_path: Path, postgres: Callable[[], str]) -> str:
    """Return the URL of the user's database, which is of the other kind than the store."""
    return postgres() if database_url.startswith("sqlite") else f"sqlite:///{tmp_path}/users.db"


@pytest.fixture
def users(destination: str) -> Iterator[Engine]:
    """Yield the user's own connections."""
    engine = engine_of(destination)
    yield engine
    engine.dispose()


def start_publish(url: str, destination: str) -> subprocess.Popen[str]:
    """Start the command."""
    to = ["--to", "CRM_URL", "--table", "scores", "--remove-missing"]
    return subprocess.Popen(
        [sys.executable, "-m", "db", "publish", "rents", *to],
        cwd=ROOT,
        env=command_environment(url, CRM_URL=destination),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def written(users: Engine, version: int) -> int:
    """Return how many rows the table has of a model."""
    if not inspect(users).has_table("scores"):
        return 0
    count = text("SELECT count(*) FROM scores WHERE model = :model")
    with users.connect() as connection:
        return int(connection.execute(count, {"model": f"rents@{version}"}).scalar_one())


def kill_somewhere(
    running: subprocess.Popen[str], users: Engine, version: int, generator: random.Random
) -> bool:
    """Kill a publisher at a random moment; return whether it was amid the rows."""
    if generator.random() < EARLY:
        time.sleep(generator.uniform(0, LATEST_START_SECONDS))
    else:
        before = written(users, version)
        enough = generator.randrange(before, ROWS) if before < ROWS else 0
        while running.poll() is None and written(users, version) <= enough:
            time.sleep(0.005)
        time.sleep(generator.uniform(0, LATEST_SECONDS))
    running.kill()
    running.communicate()
    return running.returncode == -signal.SIGKILL and 0 < written(users, version) < ROWS


def expected(store: Store, dataset: Dataset, data_version: int) -> Scores:
    """Return the rows that the table must have in the end."""
    asked = [inputs_of(number, data_version) for number in range(ROWS)]
    with store.reading() as connection:
        predictor = open_predictor(connection, dataset)
    scores: Scores = {}
    for number, inputs in enumerate(asked):
        answer = predictor.student_answer(inputs)
        assert isinstance(answer.interval, tuple)
        scores[f"F{number}"] = answer.prediction, *answer.interval, answer.source, answer.model
    return scores


def published(users: Engine) -> Scores:
    """Return the rows of the table."""
    columns = "id, prediction, interval_low, interval_high, source, model"
    with users.connect() as connection:
        rows = connection.execute(text(f"SELECT {columns} FROM scores"))  # noqa: S608
        return {row[0]: tuple(row[1:]) for row in rows}


def test_a_publisher_killed_repeatedly_ends_with_the_predictions(
    store: Store, database_url: str, destination: str, users: Engine
) -> None:
    """Meanwhile rows are corrected, and other models are activated."""
    generator, amid, version = random.Random(15), 0, 1
    dataset = serve_student(store, RENTS, rents())
    put(store, dataset, ROWS)
    for kill in range(KILLS):
        if kill % 3 == 2:
            version += 1
            other = msgspec.structs.replace(rents(), target_mean=700.0 + version)
            serve_student(store, RENTS, other)
        if kill == KILLS // 2:
            put(store, dataset, ROWS, 2)
        with start_publish(database_url, destination) as running:
            amid += kill_somewhere(running, users, version, generator)
    with start_publish(database_url, destination) as last:
        _, error = last.communicate(timeout=PATIENCE_SECONDS)
    assert last.returncode == 0, error
    assert published(users) == expected(store, dataset, 2)
    to = Destination(destination, "scores", remove_missing=True)
    assert publish_predictions(store, dataset, to, {}) == PublicationCounts(unchanged=ROWS)
    assert amid, "no publisher was killed amid the rows"


def publish_while(
    store: Store, dataset: Dataset, destination: str, after_page: Callable[[int], None]
) -> int:
    """Publish as the command does; return its exit code."""
    to = Destination(destination, "scores")
    return run_command(lambda: publish_predictions(store, dataset, to, {}, after_page))


def test_a_destination_that_goes_away_is_named(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error is one line; running the command again completes the work."""
    store = make_store(f"sqlite:///{tmp_path}/store.db")
    dataset = serve_student(store, RENTS, rents())
    put(store, dataset, 5000)
    url = server.server.get_uri()
    capfd.readouterr()
    assert publish_while(store, dataset, url, lambda _: server.stop("immediate")) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("veilleuse: postgresql://postgres")
    assert publish_while(store, dataset, url, lambda _: None) == 1
    server.start()
    done = publish_predictions(store, dataset, Destination(url, "scores"), {})
    assert (done.inserted, done.unchanged) == (3000, 2000)
    store.close()


def test_a_store_that_goes_away_is_named(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error does not name the destination, which still works."""
    store = make_store(server.server.get_uri())
    dataset = serve_student(store, RENTS, rents())
    put(store, dataset, 5000)
    destination = f"sqlite:///{tmp_path}/users.db"
    capfd.readouterr()
    assert publish_while(store, dataset, destination, lambda _: server.stop("immediate")) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("veilleuse: store: ")
    server.start()
    done = publish_predictions(store, dataset, Destination(destination, "scores"), {})
    assert (done.inserted, done.unchanged) == (3000, 2000)
    store.close()
