"""Tests of the call quota: who may make a call, who gets its answer, and how it is counted."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Collection, Sequence
from functools import partial

import pytest
from sqlalchemy import func, select, update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue import meter
from db.queue.call_quota import (
    BUDGET_RETRY_SECONDS,
    Caller,
    Grant,
    Quota,
    grant_calls,
    release_calls,
    settle_calls,
    spent_calls,
)
from db.queue.meter import Tokens, spent_tokens
from db.records.dataset import Dataset
from db.records.record import each_record, forget_record
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.store import tables
from db.store.store import Store
from tests.conftest import register
from tests.faults.conftest import FULL

RECORDS = 40
QUOTA = Quota(tries=3, hold_seconds=600)
DAY_SECONDS = 86_400.0
ENRICHERS = ("score", "other", "third")
SEEDS = 30 if FULL else 3


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset with forty records."""
    spec = DatasetSpec(
        name="notes", kind="classification", target="tone", fields={"sentence": TextField()}
    )
    found = register(store, spec)
    inputs = [spec.read_inputs({"sentence": f"bonjour {number}"}) for number in range(RECORDS)]
    with store.writing() as connection:
        rows = [NewRow(spec.key(each), each) for each in inputs]
        add_rows(connection, found, rows, "import")
    return found


def ids_of(store: Store, dataset: Dataset) -> list[int]:
    """Return the ids of a dataset's records."""
    with store.reading() as connection:
        return [record.id for record in each_record(connection, dataset.id)]


def wanted(store: Store, dataset: Dataset, *numbers: int) -> dict[str, int]:
    """Return a call for each number: its hash, and the id of its record."""
    ids = ids_of(store, dataset)
    return {f"hash {number}": ids[number % len(ids)] for number in numbers}


def caller(dataset: Dataset, enricher: str = "score", worker_id: int = 1) -> Caller:
    """Return an enricher in a worker, which asks for calls."""
    return Caller(dataset.id, enricher, worker_id)


def ask(store: Store, who: Caller, asked: dict[str, int], quota: Quota = QUOTA) -> Grant:
    """Ask for calls in a separate transaction."""
    return store.write(partial(grant_calls, caller=who, wanted=asked, quota=quota))


def settle(store: Store, who: Caller, grant: Grant, answered: Collection[str], made: int) -> None:
    """Store the answers to some of the granted calls, and release the others."""
    answers = {call: f'"{call}"' for call in answered}
    settled = partial(settle_calls, caller=who, grant=grant, answers=answers)
    store.write(partial(settled, calls=made))


def spent(store: Store, dataset: Dataset, enricher: str = "score") -> int:
    """Return the number of calls that an enricher has spent."""
    with store.reading() as connection:
        return spent_calls(connection, dataset.id)[enricher]


def charged(store: Store, dataset: Dataset, enricher: str = "score") -> tuple[int, int]:
    """Return the calls that an enricher has spent, and the calls reserved for it."""
    with store.reading() as connection:
        meters = select(tables.meter.c.calls, tables.meter.c.held)
        row = connection.execute(meters.filter_by(dataset_id=dataset.id, enricher=enricher)).one()
    return row.calls, row.held


def expire_holds(store: Store) -> None:
    """Make every reservation of a call expire."""
    with store.writing() as connection:
        connection.execute(update(tables.response).values(held_until=0.0))
        connection.execute(update(tables.call_grant).values(held_until=0.0))


def move_period_start(store: Store, days: float) -> None:
    """Move the start of every budget period into the past by some days."""
    with store.writing() as connection:
        earlier = tables.meter.c.period_at - days * DAY_SECONDS
        connection.execute(update(tables.meter).values(period_at=earlier))


def test_a_call_is_granted_once_while_it_is_being_made(store: Store, notes: Dataset) -> None:
    """Every other enricher and worker learns that the call is in progress."""
    asked = wanted(store, notes, 1, 2)
    first = ask(store, caller(notes), asked)
    assert set(first.granted) == set(asked)
    for who in (caller(notes, "other", 2), caller(notes, "score", 3)):
        second = ask(store, who, asked | wanted(store, notes, 3))
        assert second.in_progress >= set(asked)
        assert set(second.granted) <= {"hash 3"}
        assert second.token != first.token


def test_an_answer_is_given_to_later_callers(store: Store, notes: Dataset) -> None:
    """A stored answer costs nothing, also for another enricher."""
    asked = wanted(store, notes, 1, 2)
    settle(store, caller(notes), ask(store, caller(notes), asked), list(asked), made=2)
    for enricher in ("score", "other"):
        again = ask(store, caller(notes, enricher), asked)
        assert again.answers == {"hash 1": '"hash 1"', "hash 2": '"hash 2"'}
        assert (again.granted, again.in_progress) == ((), frozenset())
    assert charged(store, notes) == (2, 0)
    assert charged(store, notes, "other") == (0, 0)


def test_a_call_without_an_answer_may_be_made_by_another_worker(
    store: Store, notes: Dataset
) -> None:
    """The calls that were made stay counted."""
    asked = wanted(store, notes, 1, 2)
    settle(store, caller(notes), ask(store, caller(notes), asked), ["hash 1"], made=2)
    again = ask(store, caller(notes, worker_id=2), asked)
    assert again.granted == ("hash 2",)
    assert charged(store, notes) == (2, 3)


def test_no_more_calls_are_granted_than_a_caller_may_make_at_once(
    store: Store, notes: Dataset
) -> None:
    """Other callers can get the rest."""
    quota = dataclasses.replace(QUOTA, most_calls=4)
    asked = wanted(store, notes, *range(10))
    first = ask(store, caller(notes), asked, quota)
    second = ask(store, caller(notes, worker_id=2), asked, quota)
    assert (len(first.granted), len(second.granted)) == (4, 4)
    assert second.in_progress == set(first.granted)


# Tokens


def settle_tokens(store: Store, who: Caller, grant: Grant, tokens: Tokens) -> None:
    """Settle a grant whose calls have used these tokens and brought no answer."""
    settled = partial(settle_calls, caller=who, grant=grant, answers={}, calls=1)
    store.write(partial(settled, tokens=tokens))


def tokens_of(store: Store, dataset: Dataset) -> dict[str, Tokens]:
    """Return the tokens that each enricher has used."""
    with store.reading() as connection:
        return spent_tokens(connection, dataset.id)


def test_the_tokens_of_all_calls_are_added_up_for_each_enricher(
    store: Store, notes: Dataset
) -> None:
    """Calls without a usable answer count too."""
    for enricher, tokens in (("score", (10, 2)), ("score", (5, 1)), ("other", (2**40, 7))):
        who = caller(notes, enricher)
        settle_tokens(store, who, ask(store, who, wanted(store, notes, 1)), Tokens(*tokens))
    settle(store, caller(notes, "third"), ask(store, caller(notes, "third"), {}), [], made=0)
    assert tokens_of(store, notes) == {
        "score": Tokens(15, 3),
        "other": Tokens(2**40, 7),
        "third": Tokens(0, 0),
    }


def test_tokens_of_a_grant_that_is_settled_twice_are_counted_once(
    store: Store, notes: Dataset
) -> None:
    """A worker that did not learn of the commit settles the grant again."""
    grant = ask(store, caller(notes), wanted(store, notes, 1))
    for _ in range(2):
        settle_tokens(store, caller(notes), grant, Tokens(10, 2))
    assert tokens_of(store, notes) == {"score": Tokens(10, 2)}


def test_a_new_budget_period_begins_without_tokens(store: Store, notes: Dataset) -> None:
    """Calls and tokens are those of the same period."""
    quota = dataclasses.replace(QUOTA, budget_days=2)
    first, second = wanted(store, notes, 1), wanted(store, notes, 2)
    settle_tokens(store, caller(notes), ask(store, caller(notes), first, quota), Tokens(10, 2))
    move_period_start(store, 1)
    grant = ask(store, caller(notes), second, quota)
    assert tokens_of(store, notes) == {"score": Tokens(10, 2)}
    move_period_start(store, 1)
    settle_tokens(store, caller(notes), grant, Tokens(4, 1))
    settle_tokens(store, caller(notes), ask(store, caller(notes), first, quota), Tokens(1, 1))
    assert tokens_of(store, notes) == {"score": Tokens(1, 1)}


# Transactions that were committed although the worker did not learn of it


def test_a_grant_that_the_worker_did_not_learn_of_is_given_again(
    store: Store, notes: Dataset
) -> None:
    """A worker asks again only when it makes no call, so it must not wait for itself."""
    asked = wanted(store, notes, 1, 2)
    ask(store, caller(notes), asked)
    again = ask(store, caller(notes), asked)
    assert (set(again.granted), again.in_progress) == (set(asked), frozenset())
    settle(store, caller(notes), again, list(asked), made=2)
    assert charged(store, notes)[1] == 0


def test_a_grant_that_is_settled_twice_is_counted_once(store: Store, notes: Dataset) -> None:
    """A worker that did not learn of the commit settles the grant again."""
    asked = wanted(store, notes, 1, 2)
    grant = ask(store, caller(notes), asked)
    for _ in range(2):
        settle(store, caller(notes), grant, ["hash 1"], made=2)
    assert charged(store, notes) == (2, 0)


# Takeover


def test_a_call_of_a_dead_worker_may_be_made_after_its_reservation(
    store: Store, notes: Dataset
) -> None:
    """Until then it is in progress; all tries of the dead worker count as spent."""
    asked = wanted(store, notes, 1)
    ask(store, caller(notes), asked)
    assert ask(store, caller(notes, worker_id=2), asked).in_progress == set(asked)
    expire_holds(store)
    assert ask(store, caller(notes, worker_id=2), asked).granted == tuple(asked)
    assert charged(store, notes) == (3, 3)


def test_a_call_of_a_worker_that_is_known_to_be_gone_may_be_made_at_once(
    store: Store, notes: Dataset
) -> None:
    """The calls of other workers stay in progress."""
    of_dead, of_living = wanted(store, notes, 1, 2), wanted(store, notes, 3)
    ask(store, caller(notes), of_dead)
    ask(store, caller(notes, worker_id=2), of_living)
    with store.writing() as connection:
        release_calls(connection, 1)
    taken = ask(store, caller(notes, worker_id=3), of_dead | of_living)
    assert (set(taken.granted), taken.in_progress) == (set(of_dead), frozenset(of_living))
    assert charged(store, notes) == (6, 9)


def test_answers_outlive_the_worker_that_received_them(store: Store, notes: Dataset) -> None:
    """An answered call is not reserved for a worker any more."""
    asked = wanted(store, notes, 1)
    settle(store, caller(notes), ask(store, caller(notes), asked), list(asked), made=1)
    with store.writing() as connection:
        release_calls(connection, 1)
    assert set(ask(store, caller(notes, worker_id=2), asked).answers) == set(asked)


@pytest.mark.parametrize("answered", [[], ["hash 1"]], ids=["nothing", "an answer"])
def test_a_late_worker_does_not_release_a_call_that_another_took_over(
    store: Store, notes: Dataset, answered: list[str]
) -> None:
    """Otherwise a third worker would make the same call at the same time as the second."""
    asked = wanted(store, notes, 1)
    late, second, third = (caller(notes, worker_id=number) for number in (1, 2, 3))
    before = ask(store, late, asked)
    expire_holds(store)
    after = ask(store, second, asked)
    assert after.granted == tuple(asked)
    settle(store, late, before, answered, made=1)
    assert ask(store, third, asked).granted == ()
    settle(store, second, after, asked, made=1)
    assert set(ask(store, third, asked).answers) == set(asked)
    calls, held = charged(store, notes)
    assert held == 0
    assert calls >= 2


def test_a_call_that_was_taken_over_is_counted_once(store: Store, notes: Dataset) -> None:
    """The takeover counts it in full; the late worker adds only the calls that it still had."""
    quota = dataclasses.replace(QUOTA, budget_calls=9)
    late, second = caller(notes, worker_id=1), caller(notes, worker_id=2)
    before = ask(store, late, wanted(store, notes, 1, 2), quota)
    expire_holds(store)
    after = ask(store, second, wanted(store, notes, 1), quota)
    assert after.granted == ("hash 1",)
    settle(store, late, before, [], made=6)
    settle(store, second, after, after.granted, made=3)
    assert charged(store, notes) == (9, 0)


def test_a_call_that_another_enricher_took_over_counts_as_spent(
    store: Store, notes: Dataset
) -> None:
    """The first enricher may have made the call; it reserves nothing of its budget any more."""
    quota = dataclasses.replace(QUOTA, budget_calls=6)
    asked = wanted(store, notes, 1)
    ask(store, caller(notes), asked, quota)
    expire_holds(store)
    taken = ask(store, caller(notes, "other", 2), asked, quota)
    assert taken.granted == tuple(asked)
    settle(store, caller(notes, "other", 2), taken, asked, made=1)
    assert charged(store, notes, "other") == (1, 0)
    ask(store, caller(notes, worker_id=3), wanted(store, notes, 2), quota)
    assert charged(store, notes) == (3, 3)


def test_a_budget_that_only_dead_workers_reserved_is_spent(store: Store, notes: Dataset) -> None:
    """Dead workers give nothing back, so retrying every few seconds would never end."""
    quota = dataclasses.replace(QUOTA, budget_calls=6, budget_days=2)
    asked = wanted(store, notes, 1, 2)
    ask(store, caller(notes), asked, quota)
    expire_holds(store)
    denied = ask(store, caller(notes, worker_id=2), asked, quota)
    assert (denied.granted, denied.reason) == ((), "its budget of 6 calls is spent")
    assert denied.postponed_seconds > BUDGET_RETRY_SECONDS


def test_dead_workers_reserve_nothing_of_a_new_period(store: Store, notes: Dataset) -> None:
    """Their reservations do not count, even if they took the whole budget of the last period."""
    quota = dataclasses.replace(QUOTA, budget_calls=6, budget_days=2)
    asked = wanted(store, notes, 1, 2)
    ask(store, caller(notes), asked, quota)
    expire_holds(store)
    ask(store, caller(notes, worker_id=2), asked, quota)
    move_period_start(store, 2)
    assert set(ask(store, caller(notes, worker_id=2), asked, quota).granted) == set(asked)


def test_two_enrichers_that_want_the_same_call_at_once_do_not_both_make_it(
    store: Store, notes: Dataset
) -> None:
    """Each enricher has its own meter, so neither waits for the meter row of the other."""
    asked = wanted(store, notes, *range(8))
    assert _all_granted(_ask_at_once(store, notes, asked)) == sorted(asked)
    charges = [charged(store, notes, name) for name in ("score", "other")]
    assert sum(held for _, held in charges) == 3 * len(asked)


def test_two_enrichers_do_not_both_take_over_the_same_call(store: Store, notes: Dataset) -> None:
    """Each call of the dead worker is taken over once."""
    asked = wanted(store, notes, *range(8))
    ask(store, caller(notes, "third", 9), asked)
    expire_holds(store)
    assert _all_granted(_ask_at_once(store, notes, asked)) == sorted(asked)


def _all_granted(grants: Sequence[Grant]) -> list[str]:
    assert len(grants) == 2
    return sorted(itertools.chain.from_iterable(grant.granted for grant in grants))


def _ask_at_once(store: Store, dataset: Dataset, asked: dict[str, int]) -> list[Grant]:
    """Let both ask at the same time; on SQLite, where this cannot happen, one after the other."""
    first, second = caller(dataset), caller(dataset, "other", 2)
    if store.writer.dialect.name == "sqlite":
        return [ask(store, first, asked), ask(store, second, asked)]
    grants: list[Grant] = []
    with store.writer.connect() as slow:
        grants.append(grant_calls(slow, first, asked, QUOTA))
        other = threading.Thread(target=lambda: grants.append(ask(store, second, asked)))
        other.start()
        # The thread waits for the row that is being written, or has ended already.
        other.join(1.0)
        slow.commit()
        other.join()
    return grants


# Budget


@dataclasses.dataclass
class OpenGrant:
    """A grant that is not settled, with the first and the last period it may call in."""

    who: Caller
    grant: Grant
    first: int
    last: int | None = None

    @property
    def most(self) -> int:
        """The highest number of calls that the grant allows."""
        return QUOTA.tries * len(self.grant.granted)


class RandomCallers:
    """Let enrichers ask and settle in random order; count the calls made and still possible."""

    def __init__(self, store: Store, dataset: Dataset, seed: int) -> None:
        self.chance = random.Random(seed)
        self._store = store
        self._dataset = dataset
        self._ids = ids_of(store, dataset)
        self._open: list[OpenGrant] = []
        # A period begins with the first request after the end of the last period.
        self._periods = dict.fromkeys(ENRICHERS, 0)
        self._over: set[str] = set()
        self._workers = itertools.count(1)
        # The number of calls made, by enricher and period.
        self._called: dict[tuple[str, int], int] = {}

    def ask(self, enricher: str, quota: Quota) -> None:
        """Ask for some calls; a granted call must not be in progress elsewhere."""
        who = caller(self._dataset, enricher, next(self._workers))
        numbers = self.chance.sample(range(500), self.chance.randint(1, 30))
        asked = {f"hash {number}": self._ids[number % RECORDS] for number in numbers}
        grant = ask(self._store, who, asked, quota)
        alive = (pending for pending in self._open if pending.last is None)
        assert {call for pending in alive for call in pending.grant.granted}.isdisjoint(
            grant.granted
        )
        if enricher in self._over:
            self._over.discard(enricher)
            self._periods[enricher] += 1
        if grant.granted:
            self._open.append(OpenGrant(who, grant, self._periods[enricher]))

    def settle(self) -> None:
        """Make the calls of a random grant, each with a random number of tries."""
        if not self._open:
            return
        pending = self._open.pop(self.chance.randrange(len(self._open)))
        granted = pending.grant.granted
        made = sum(self.chance.randint(0, QUOTA.tries) for _ in granted)
        answered = [call for call in granted if self.chance.random() < 0.5]
        settle(self._store, pending.who, pending.grant, answered, made)
        self._count(self._called, pending, made)

    def _count(self, called: dict[tuple[str, int], int], pending: OpenGrant, made: int) -> None:
        # It is unknown when they were made, so each period must have room for all of them.
        enricher = pending.who.enricher
        last = self._periods[enricher] if pending.last is None else pending.last
        for period in range(pending.first, last + 1):
            key = (enricher, period)
            called[key] = called.get(key, 0) + made

    def declare_dead(self) -> None:
        """Declare a caller dead: it makes no more calls, but may still settle late."""
        alive = [pending for pending in self._open if pending.last is None]
        if alive:
            pending = self.chance.choice(alive)
            pending.last = self._periods[pending.who.enricher]
            with self._store.writing() as connection:
                release_calls(connection, pending.who.worker_id)

    def next_period(self, days: float) -> None:
        """End the budget period of every enricher."""
        move_period_start(self._store, days)
        self._over = set(ENRICHERS)

    def erase(self) -> None:
        """Erase a random record, even if a call is being made for it."""
        left = ids_of(self._store, self._dataset)
        forget(self._store, self._dataset, self.chance.choice(left))

    def worst(self) -> dict[tuple[str, int], int]:
        """Return the calls by enricher and period if every open call takes all its tries."""
        worst = dict(self._called)
        for pending in self._open:
            self._count(worst, pending, pending.most)
        return worst

    def settle_all(self) -> None:
        """Settle every open grant."""
        while self._open:
            self.settle()


def _run_randomly(store: Store, dataset: Dataset, seed: int, *, periods: bool) -> None:
    quota = dataclasses.replace(QUOTA, budget_calls=100, budget_days=1)
    callers = RandomCallers(store, dataset, seed)
    for _ in range(80):
        step = callers.chance.random()
        if step < 0.5:
            callers.ask(callers.chance.choice(ENRICHERS), quota)
        elif step < 0.85:
            callers.settle()
        elif step < 0.92:
            callers.declare_dead()
        elif step < 0.95 or not periods:
            callers.erase()
        else:
            callers.next_period(1)
        for key, calls in callers.worst().items():
            assert calls <= 100, key
    assert callers.worst()
    callers.settle_all()
    assert [charged(store, dataset, name)[1] for name in ENRICHERS] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_sequence_of_grants_and_settlements_exceeds_a_budget(
    store: Store, notes: Dataset, seed: int
) -> None:
    """The budget holds even if every open call takes all its tries and some callers have died.

    Each call is granted to one caller at a time, and when all are settled nothing is reserved.
    """
    _run_randomly(store, notes, seed, periods=False)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_sequence_exceeds_a_budget_when_periods_end_in_between(
    store: Store, notes: Dataset, seed: int
) -> None:
    """A call that was granted in one period may be made in the next, so it counts in both."""
    _run_randomly(store, notes, seed, periods=True)


def test_a_call_in_progress_at_the_end_of_a_period_counts_in_the_next(
    store: Store, notes: Dataset
) -> None:
    """Otherwise an enricher could spend more than its budget in the next period."""
    quota = dataclasses.replace(QUOTA, budget_calls=60, budget_days=1)
    before = ask(store, caller(notes), wanted(store, notes, *range(15)), quota)
    move_period_start(store, 1)
    after = ask(store, caller(notes, worker_id=2), wanted(store, notes, *range(15, 30)), quota)
    assert (len(before.granted), len(after.granted)) == (15, 5)
    assert charged(store, notes) == (0, 60)
    settle(store, caller(notes), before, before.granted, made=20)
    assert charged(store, notes) == (20, 15)


def test_a_spent_budget_is_reported_with_the_time_to_wait(store: Store, notes: Dataset) -> None:
    """The last `tries - 1` calls of a budget may stay unused."""
    quota = dataclasses.replace(QUOTA, budget_calls=8, budget_days=2)
    grant = ask(store, caller(notes), wanted(store, notes, *range(10)), quota)
    assert len(grant.granted) == 2
    settle(store, caller(notes), grant, grant.granted, made=6)
    denied = ask(store, caller(notes), wanted(store, notes, *range(2, 10)), quota)
    assert denied.granted == ()
    assert denied.reason == "its budget of 8 calls is spent"
    assert DAY_SECONDS < denied.postponed_seconds <= 2 * DAY_SECONDS
    assert spent(store, notes) == 6


def test_a_budget_whose_rest_is_reserved_postpones_by_a_few_seconds(
    store: Store, notes: Dataset
) -> None:
    """Callers give back the tries that they do not need, so waiting for a month is useless."""
    quota = dataclasses.replace(QUOTA, budget_calls=8, budget_days=30)
    grant = ask(store, caller(notes), wanted(store, notes, 1, 2), quota)
    asked = wanted(store, notes, 3)
    denied = ask(store, caller(notes, worker_id=2), asked, quota)
    assert (len(grant.granted), denied.granted) == (2, ())
    assert denied.reason == "the rest of its budget of 8 calls is reserved"
    assert 0 < denied.postponed_seconds <= BUDGET_RETRY_SECONDS <= 10
    assert spent(store, notes) == 0
    settle(store, caller(notes), grant, grant.granted, made=2)
    assert ask(store, caller(notes, worker_id=2), asked, quota).granted == ("hash 3",)


def test_a_new_period_gives_a_new_budget(store: Store, notes: Dataset) -> None:
    """The new budget is not available before the old period ends."""
    quota = dataclasses.replace(QUOTA, budget_calls=6, budget_days=2)
    grant = ask(store, caller(notes), wanted(store, notes, 1, 2), quota)
    settle(store, caller(notes), grant, grant.granted, made=6)
    move_period_start(store, 1.9)
    assert ask(store, caller(notes), wanted(store, notes, 3), quota).granted == ()
    move_period_start(store, 0.2)
    asked = wanted(store, notes, 3, 4, 5)
    assert ask(store, caller(notes), asked, quota).granted == ("hash 3", "hash 4")
    assert charged(store, notes) == (0, 6)


def move_clock(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Set the wall clock ahead, also that of the server."""
    monkeypatch.setattr(meter, "wall_seconds", lambda _: time.time() + days * DAY_SECONDS)


def test_a_clock_that_is_set_ahead_brings_no_new_budget(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seconds since the machine's boot say that the period lasts; nobody can set them."""
    quota = Quota(tries=1, hold_seconds=600, budget_calls=2, budget_days=1)
    asked = wanted(store, notes, 1, 2)
    settle(store, caller(notes), ask(store, caller(notes), asked, quota), list(asked), made=2)
    move_clock(monkeypatch, 30)
    refused = ask(store, caller(notes), wanted(store, notes, 3), quota)
    assert refused.granted == ()
    assert "its budget of 2 calls is spent" in refused.reason
    assert refused.postponed_seconds <= DAY_SECONDS


@pytest.mark.parametrize("knows_machine", [True, False])
def test_a_period_that_a_wrong_clock_began_ends_in_its_time(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch, *, knows_machine: bool
) -> None:
    """The calls of a period that begins years ahead count for as long as a budget lasts."""
    quota = Quota(tries=1, hold_seconds=600, budget_calls=2, budget_days=1, calls_per_second=100)
    with monkeypatch.context() as patched:
        move_clock(patched, 2000)
        asked = wanted(store, notes, 1, 2)
        settle(store, caller(notes), ask(store, caller(notes), asked, quota), list(asked), made=2)
    if not knows_machine:
        with store.writing() as connection:
            connection.execute(update(tables.meter).values(period_clock=""))
    refused = ask(store, caller(notes), wanted(store, notes, 3), quota)
    assert "its budget of 2 calls is spent" in refused.reason
    assert 0 < refused.postponed_seconds <= DAY_SECONDS
    with store.writing() as connection:
        connection.execute(update(tables.meter).values(period_clock=""))
    move_clock(monkeypatch, 2001 if knows_machine else 1.01)
    assert ask(store, caller(notes), wanted(store, notes, 3), quota).granted == ("hash 3",)


def test_a_slot_that_a_wrong_clock_reserved_is_not_waited_for(store: Store, notes: Dataset) -> None:
    """No slot is further ahead than a second and the pace."""
    quota = Quota(tries=1, hold_seconds=600, calls_per_second=2)
    ask(store, caller(notes), wanted(store, notes, 1), quota)
    with store.writing() as connection:
        later = tables.meter.c.next_call + 2000 * DAY_SECONDS
        connection.execute(update(tables.meter).values(next_call=later))
    assert ask(store, caller(notes), wanted(store, notes, 2), quota).postponed_seconds < 2


def test_a_stored_answer_is_given_although_the_budget_is_spent(
    store: Store, notes: Dataset
) -> None:
    """A stored answer has already been paid for."""
    quota = dataclasses.replace(QUOTA, budget_calls=3, budget_days=2)
    grant = ask(store, caller(notes), wanted(store, notes, 1), quota)
    settle(store, caller(notes), grant, ["hash 1"], made=3)
    later = ask(store, caller(notes), wanted(store, notes, 1, 2), quota)
    assert later.answers == {"hash 1": '"hash 1"'}
    assert (later.granted, later.reason) == ((), "its budget of 3 calls is spent")


# Rate


def next_slot(store: Store) -> float:
    """Return the time from which the next call may be made, by the store's clock."""
    with store.reading() as connection:
        return float(connection.execute(select(tables.meter.c.next_call)).scalar_one())


@pytest.mark.parametrize("rate", [0.5, 20.0, 1000.0])
def test_slots_are_never_closer_than_the_rate_allows(
    store: Store, notes: Dataset, rate: float
) -> None:
    """The distance holds over many grants, and a refused call does not take a slot."""
    quota = dataclasses.replace(QUOTA, calls_per_second=rate)
    chance = random.Random(int(rate))
    slots: list[float] = []
    numbers = itertools.count()
    for _ in range(60):
        count = chance.randint(1, 20)
        asked = wanted(store, notes, *itertools.islice(numbers, count))
        grant = ask(store, caller(notes), asked, quota)
        first = next_slot(store) - len(grant.granted) / rate
        slots += [first + number / rate for number in range(len(grant.granted))]
        assert 0 <= grant.wait_seconds <= 1
        assert bool(grant.granted) != bool(grant.reason)
    assert slots
    gaps = [later - earlier for earlier, later in itertools.pairwise(slots)]
    assert all(gap >= 1 / rate - 1e-5 for gap in gaps)


def test_a_rate_limit_that_is_reached_is_reported_with_the_time_to_wait(
    store: Store, notes: Dataset
) -> None:
    """A worker does not wait for a slot that is 100 seconds away."""
    quota = dataclasses.replace(QUOTA, calls_per_second=0.01)
    assert len(ask(store, caller(notes), wanted(store, notes, 1, 2), quota).granted) == 1
    denied = ask(store, caller(notes), wanted(store, notes, 2), quota)
    assert (denied.granted, denied.reason) == ((), "its limit of 0.01 calls per second is reached")
    assert 0 < denied.postponed_seconds <= 100


# Erased records


def response_count(store: Store) -> int:
    """Return the number of calls that are in progress or answered."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.response)).scalar_one()


def forget(store: Store, dataset: Dataset, record_id: int) -> None:
    """Erase a record."""
    with store.writing() as connection:
        [key] = [
            record.key for record in each_record(connection, dataset.id) if record.id == record_id
        ]
        forget_record(connection, dataset.id, key)


def test_forgetting_a_record_deletes_its_answer(store: Store, notes: Dataset) -> None:
    """Another record that needs the same answer pays for the call again."""
    [first, second] = ids_of(store, notes)[:2]
    grant = ask(store, caller(notes), {"hash": first})
    settle(store, caller(notes), grant, ["hash"], made=1)
    forget(store, notes, first)
    assert response_count(store) == 0
    assert ask(store, caller(notes), {"hash": second}).granted == ("hash",)


def test_a_record_erased_before_its_call_is_granted_gets_no_call(
    store: Store, notes: Dataset
) -> None:
    """Other records get theirs, it costs nothing, and the grant reports it as erased."""
    asked = wanted(store, notes, 1, 2, 3)
    forget(store, notes, asked["hash 2"])
    grant = ask(store, caller(notes), asked)
    assert set(grant.granted) == {"hash 1", "hash 3"}
    assert grant.erased == {"hash 2"}
    assert charged(store, notes) == (0, 6)


def test_a_record_erased_while_another_worker_makes_its_call_is_reported(
    store: Store, notes: Dataset
) -> None:
    """A worker that waits for the call learns of the erasure and stops waiting."""
    asked = wanted(store, notes, 1)
    ask(store, caller(notes), asked)
    forget(store, notes, asked["hash 1"])
    assert ask(store, caller(notes, worker_id=2), asked).erased == {"hash 1"}


def test_an_answer_for_a_record_erased_meanwhile_is_not_kept(store: Store, notes: Dataset) -> None:
    """The calls that were made stay counted, and the unused tries are given back."""
    asked = wanted(store, notes, 1)
    grant = ask(store, caller(notes), asked)
    forget(store, notes, asked["hash 1"])
    settle(store, caller(notes), grant, ["hash 1"], made=1)
    assert response_count(store) == 0
    assert charged(store, notes) == (1, 0)
