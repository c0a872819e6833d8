"""Four workers, killed again and again at twelve points of their work, they or their children."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from db.queue.planner import CHUNK_RECORDS
from db.records.dataset import Dataset, find_dataset
from db.records.record import NewRecord, add_records, count_stale
from db.settings import Settings
from db.spec.dataset_spec import EnricherSpec
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store
from enrich.learning.training import train_model
from enrich.worker_status import worker_status
from tests.conftest import notes_spec, register
from tests.inline import enrich_now
from tests.integration.test_worker import wait_for

from .conftest import FULL
from .kill_enrichers import LOG
from .kill_group import WorkerGroup
from .kill_point import BATCH, CHUNK, FOLDER, NOTHING, POINTS, lay_tokens, tokens_left
from .test_kill_once import everything, left_over, make_stale

RECORDS, LABELS = 10_000, 100
WORKERS = 4
KILLS = 20 if FULL else 1
# Each point by itself, or all of them in one go.
CASES = [(name,) for name in POINTS] if FULL else [tuple(POINTS)]
# Dead workers are buried by those that start: nothing here waits for a lease to run out.
LEASE = "600"
PATIENCE_SECONDS = 1800.0
# A point that the product's code no longer comes to would be waited for in vain.
MOST_IN_VAIN = 5
LOOK_SECONDS = 0.1
MODULE = "tests.faults.kill_worker"
WHERE = "tests.faults.kill_enrichers"

SPEC = notes_spec(
    {
        "double": EnricherSpec(use=f"{WHERE}.LoggedDouble", reads=("sentence", "length")),
        "length": EnricherSpec(use=f"{WHERE}.LoggedLength"),
    }
)


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Give a dataset that is up to date, with a model that reads its enrichments.

    No other model is due, so that workers do not train one.
    """
    found = register(store, SPEC)
    fill(store, found, 0, LABELS)
    enrich_now(store, settings)
    train_model(store, found.name, settings)
    fill(store, found, LABELS, RECORDS)
    enrich_now(store, settings)
    with store.reading() as connection:
        return find_dataset(connection, found.name)


def fill(store: Store, dataset: Dataset, first: int, last: int) -> None:
    """Add records, of which the first have a label."""
    records = []
    for number in range(first, last):
        tone = ("warm", "cold")[number % 2]
        words = {"warm": "merci beaucoup", "cold": "rien du tout"}[tone]
        inputs = dataset.spec.read_inputs({"sentence": f"{words} {number}"})
        records.append(
            NewRecord(dataset.spec.key(inputs), inputs, tone if number < LABELS else None)
        )
    with store.writing() as connection:
        add_records(connection, dataset.id, records, "import")


def is_done(store: Store, dataset: Dataset) -> bool:
    """Tell whether nothing is stale, and nobody at work."""
    with store.reading() as connection:
        chunks = connection.execute(select(func.count()).select_from(tables.chunk)).scalar_one()
        return not chunks and not count_stale(connection, dataset.id, dataset.revision)


def generation_of(store: Store) -> int:
    """Return what web processes look at every second."""
    with store.reading() as connection:
        return read_generation(connection)


@dataclass(frozen=True)
class Computed:
    """How often each enricher has computed each record, and in how large a batch at most."""

    times: dict[str, Counter[str]]
    largest_batch: int


def read_log(log: Path) -> Computed:
    """Return what the enrichers have logged."""
    times: dict[str, Counter[str]] = {name: Counter() for name in SPEC.enrichers}
    largest = 0
    for line in log.read_text("utf-8").splitlines():
        name, rows, sentence = line.split("\t")
        times[name][sentence] += 1
        largest = max(largest, int(rows))
    return Computed(times, largest)


def most_redone(kills: Counter[str], largest_batch: int) -> int:
    """Return how many records these kills may cost: a chunk or a batch each, or nothing."""
    costs = {CHUNK: CHUNK_RECORDS, BATCH: largest_batch, NOTHING: 0}
    return sum(count * costs[POINTS[name].redone] for name, count in kills.items())


class Ordeal:
    """Rounds of work over all records, until every token has been taken."""

    def __init__(self, store: Store, url: str, dataset: Dataset, folder: Path) -> None:
        self._store = store
        self._url = url
        self._found = dataset
        self._tokens = folder / "tokens"
        self._folder = folder
        self._until = time.monotonic() + PATIENCE_SECONDS
        self.rounds = self.killed = self.redone = self._in_vain = 0

    def lay(self, names: Sequence[str], kills: int) -> None:
        """Say where to kill, and how often."""
        lay_tokens(self._tokens, names, kills)

    @property
    def is_over(self) -> bool:
        """Whether there is nobody left to kill."""
        return not tokens_left(self._tokens)

    @property
    def _log(self) -> Path:
        return self._folder / f"computed.{self.rounds}"

    def group(self, size: int) -> WorkerGroup:
        """Return so many workers, who may be killed while there are tokens."""
        environment = {FOLDER: str(self._tokens), LOG: str(self._log), "LEASE_SECONDS": LEASE}
        return WorkerGroup(MODULE, size, self._folder / "said", self._url, **environment)

    def work_one_round(self) -> None:
        """Have all records enriched, and count what was done more than once."""
        make_stale(self._store)
        self.rounds += 1
        before = tokens_left(self._tokens)
        with self.group(WORKERS) as group:
            while not is_done(self._store, self._found):
                group.tend()
                assert time.monotonic() < self._until, self._words(group)
                time.sleep(LOOK_SECONDS)
        self.killed += group.killed
        kills = before - tokens_left(self._tokens)
        self._check(read_log(self._log), kills)
        self._in_vain = 0 if kills else self._in_vain + 1
        assert self._in_vain < MOST_IN_VAIN, f"nobody dies at {dict(before)}"

    def _check(self, computed: Computed, kills: Counter[str]) -> None:
        for name, times in computed.times.items():
            assert len(times) == RECORDS
            redone = times.total() - RECORDS
            assert redone <= most_redone(kills, computed.largest_batch), (name, kills)
            self.redone += redone

    def _words(self, group: WorkerGroup) -> str:
        with self._store.reading() as connection:
            stale = count_stale(connection, self._found.id, self._found.revision)
            chunks = connection.execute(select(tables.chunk)).all()
        left = dict(tokens_left(self._tokens))
        return f"{stale} records stale in round {self.rounds}, {chunks=}, {left=}\n{group.words()}"


@pytest.fixture
def ordeal(store: Store, database_url: str, notes: Dataset, tmp_path: Path) -> Ordeal:
    """Give rounds of work over the dataset."""
    return Ordeal(store, database_url, notes, tmp_path)


@pytest.mark.parametrize("names", CASES, ids="+".join if FULL else lambda _: "all")
def test_killed_at_any_point_workers_lose_nothing_and_double_nothing(
    store: Store, notes: Dataset, ordeal: Ordeal, names: tuple[str, ...]
) -> None:
    """A worker's death costs one chunk at most, its child's one batch; the end is the same."""
    undisturbed = everything(store, notes)
    ordeal.lay(names, KILLS)
    while not ordeal.is_over:
        ordeal.work_one_round()
        assert everything(store, notes) == undisturbed
        assert left_over(store) == [0, 0]
    print(f"{ordeal.killed=} {ordeal.rounds=} {ordeal.redone=}")  # noqa: T201  with pytest -s
    of_workers = [name for name in names if not POINTS[name].is_of_child]
    assert ordeal.killed == KILLS * len(of_workers)


@pytest.mark.parametrize("is_looked_at", [False, True])
def test_what_a_worker_did_not_live_to_tell_the_web_its_successor_tells(
    store: Store, ordeal: Ordeal, *, is_looked_at: bool
) -> None:
    """The generation rises for it, although the successor has done nothing itself.

    So it does where somebody has asked for the status meanwhile, and so buried the dead.
    """
    ordeal.lay(["web_not_told"], 1)
    with store.writing() as connection:
        # They have all their values: looking at them is quick.
        connection.execute(
            update(tables.record).where(tables.record.c.label.isnot(None)).values(revision=0)
        )
    with ordeal.group(1) as group:
        group.workers[0].wait(PATIENCE_SECONDS)
        untold = generation_of(store)
        if is_looked_at:
            worker_status(store)
        group.tend()
        wait_for(lambda: generation_of(store) > untold)
