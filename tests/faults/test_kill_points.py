"""Four workers that are killed, or whose children are killed, at twelve points of the work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.planner import CHUNK_RECORDS
from db.records.dataset import Dataset, find_dataset
from db.records.record import count_stale
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store
from enrich.learning.training import train_model
from enrich.worker_status import worker_status
from tests.conftest import WORDS_TEACHER, notes_spec, register
from tests.inline import enrich_now
from tests.integration.test_worker import wait_for

from .conftest import FULL
from .kill_enrichers import LOG
from .kill_group import WorkerGroup
from .kill_point import BATCH, CHUNK, FOLDER, NOTHING, POINTS, TWO_CHUNKS, lay_tokens, tokens_left
from .test_kill_once import everything, left_over, make_stale

RECORDS, LABELS = 10_000, 100
WORKERS = 4
KILLS = 20 if FULL else 1
# A full run tests each point separately, a short run all of them together.
CASES = [(name,) for name in POINTS] if FULL else [tuple(POINTS)]
# A worker that starts releases the chunks of dead workers, so no test waits for a lease to end.
LEASE = "600"
PATIENCE_SECONDS = 1800.0
# The most rounds without a kill: a point that the product no longer reaches would never kill.
MOST_ROUNDS_WITHOUT_KILL = 5
LOOK_SECONDS = 0.1
MODULE = "tests.faults.kill_worker"
WHERE = "tests.faults.kill_enrichers"

SPEC = notes_spec(
    {
        "double": EnricherSpec(use=f"{WHERE}.LoggedDouble", reads=("sentence", "length")),
        "length": EnricherSpec(use=f"{WHERE}.LoggedLength"),
    },
    WORDS_TEACHER,
)


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Return a dataset that is up to date, with a model that reads its enrichments.

    No new model is due, so the workers do not train one.
    """
    dataset = register(store, SPEC)
    fill(store, dataset, 0, LABELS)
    enrich_now(store, settings)
    train_model(store, dataset.name, settings)
    fill(store, dataset, LABELS, RECORDS)
    enrich_now(store, settings)
    with store.reading() as connection:
        return find_dataset(connection, dataset.name)


def fill(store: Store, dataset: Dataset, first: int, last: int) -> None:
    """Add records; those numbered below LABELS get a label."""
    records = []
    for number in range(first, last):
        tone = ("warm", "cold")[number % 2]
        words = {"warm": "merci beaucoup", "cold": "rien du tout"}[tone]
        inputs = dataset.spec.read_inputs({"sentence": f"{words} {number}"})
        records.append(NewRow(dataset.spec.key(inputs), inputs, tone if number < LABELS else None))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")


def is_done(store: Store, dataset: Dataset) -> bool:
    """Return whether no record is stale and no chunk is left."""
    with store.reading() as connection:
        chunks = connection.execute(select(func.count()).select_from(tables.chunk)).scalar_one()
        return not chunks and not count_stale(connection, dataset.id, dataset.revision)


def generation_of(store: Store) -> int:
    """Return the generation, which web processes poll every second."""
    with store.reading() as connection:
        return read_generation(connection)


@dataclass(frozen=True)
class Computed:
    """How often each enricher computed each record, and the size of the largest batch."""

    times: dict[str, Counter[str]]
    largest_batch: int


def read_log(log: Path) -> Computed:
    """Read the counts from the enrichers' log."""
    times: dict[str, Counter[str]] = {name: Counter() for name in SPEC.enrichers}
    largest = 0
    for line in log.read_text("utf-8").splitlines():
        name, rows, sentence = line.split("\t")
        times[name][sentence] += 1
        largest = max(largest, int(rows))
    return Computed(times, largest)


def most_redone(kills: Counter[str], largest_batch: int) -> int:
    """Return the most records that may be computed again after these kills."""
    costs = {
        TWO_CHUNKS: 2 * CHUNK_RECORDS,
        CHUNK: CHUNK_RECORDS,
        BATCH: largest_batch,
        NOTHING: 0,
    }
    return sum(count * costs[POINTS[name].redone] for name, count in kills.items())


class KillRounds:
    """Rounds of work over all records, until every token has been taken."""

    def __init__(self, store: Store, url: str, dataset: Dataset, folder: Path) -> None:
        self._store = store
        self._url = url
        self._dataset = dataset
        self._tokens = folder / "tokens"
        self._folder = folder
        self._until = time.monotonic() + PATIENCE_SECONDS
        self.rounds = self.killed = self.redone = self._rounds_without_kill = 0

    def lay(self, names: Sequence[str], kills: int) -> None:
        """Create the tokens for a number of kills at each point."""
        lay_tokens(self._tokens, names, kills)

    @property
    def is_over(self) -> bool:
        """Whether every token has been taken."""
        return not tokens_left(self._tokens)

    @property
    def _log(self) -> Path:
        return self._folder / f"computed.{self.rounds}"

    def group(self, size: int) -> WorkerGroup:
        """Return a group of workers, which may be killed while there are tokens."""
        environment = {FOLDER: str(self._tokens), LOG: str(self._log), "LEASE_SECONDS": LEASE}
        return WorkerGroup(MODULE, size, self._folder / "said", self._url, **environment)

    def work_one_round(self) -> None:
        """Enrich all records again, and count the values computed more than once."""
        make_stale(self._store)
        self.rounds += 1
        before = tokens_left(self._tokens)
        with self.group(WORKERS) as group:
            while not is_done(self._store, self._dataset):
                group.tend()
                assert time.monotonic() < self._until, self._describe(group)
                time.sleep(LOOK_SECONDS)
        self.killed += group.killed
        kills = before - tokens_left(self._tokens)
        self._check(read_log(self._log), kills)
        self._rounds_without_kill = 0 if kills else self._rounds_without_kill + 1
        assert self._rounds_without_kill < MOST_ROUNDS_WITHOUT_KILL, (
            f"no process was killed at {dict(before)}"
        )

    def _check(self, computed: Computed, kills: Counter[str]) -> None:
        for name, times in computed.times.items():
            assert len(times) == RECORDS
            redone = times.total() - RECORDS
            assert redone <= most_redone(kills, computed.largest_batch), (name, kills)
            self.redone += redone

    def _describe(self, group: WorkerGroup) -> str:
        with self._store.reading() as connection:
            stale = count_stale(connection, self._dataset.id, self._dataset.revision)
            chunks = connection.execute(select(tables.chunk)).all()
        left = dict(tokens_left(self._tokens))
        return f"{stale} records stale in round {self.rounds}, {chunks=}, {left=}\n{group.words()}"


@pytest.fixture
def kill_rounds(store: Store, database_url: str, notes: Dataset, tmp_path: Path) -> KillRounds:
    """Return rounds of work over the dataset."""
    return KillRounds(store, database_url, notes, tmp_path)


@pytest.mark.parametrize("names", CASES, ids="+".join if FULL else lambda _: "all")
def test_killed_workers_lose_no_results_and_store_none_twice(
    store: Store, notes: Dataset, kill_rounds: KillRounds, names: tuple[str, ...]
) -> None:
    """A killed worker costs at most one chunk, a killed child one batch; no result differs."""
    undisturbed = everything(store, notes)
    kill_rounds.lay(names, KILLS)
    while not kill_rounds.is_over:
        kill_rounds.work_one_round()
        assert everything(store, notes) == undisturbed
        assert left_over(store) == [0, 0]
    print(f"{kill_rounds.killed=} {kill_rounds.rounds=} {kill_rounds.redone=}")  # noqa: T201  with pytest -s
    worker_points = [name for name in names if not POINTS[name].is_of_child]
    assert kill_rounds.killed == KILLS * len(worker_points)


@pytest.mark.parametrize("status_is_read", [False, True])
def test_the_successor_of_a_killed_worker_announces_its_results_to_the_web(
    store: Store, kill_rounds: KillRounds, *, status_is_read: bool
) -> None:
    """The successor raises the generation, although it has written no results itself.

    This holds even after a request for the worker status, which also cleans up dead workers.
    """
    kill_rounds.lay(["web_not_told"], 1)
    with store.writing() as connection:
        # These records have all their values, so that checking them is quick.
        connection.execute(
            update(tables.record).where(tables.record.c.label.isnot(None)).values(revision=0)
        )
    with kill_rounds.group(1) as group:
        group.workers[0].wait(PATIENCE_SECONDS)
        generation = generation_of(store)
        if status_is_read:
            worker_status(store)
        group.tend()
        wait_for(lambda: generation_of(store) > generation)
