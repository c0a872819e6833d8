"""Metered calls: who may make one, who gets the answer, and what that costs."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
from collections.abc import Collection, Sequence
from functools import partial

import pytest
from sqlalchemy import func, select, update

from db.queue.call_quota import (
    HELD_SECONDS,
    Caller,
    Grant,
    Quota,
    free_calls_of,
    grant_calls,
    settle_calls,
    spent_calls,
)
from db.records.dataset import Dataset
from db.records.record import NewRecord, add_records, each_record, forget_record
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.store import tables
from db.store.engine import Store
from tests.conftest import register
from tests.faults.conftest import FULL

RECORDS = 40
TERMS = Quota(tries=3, hold_seconds=600)
DAY_SECONDS = 86_400.0
ENRICHERS = ("score", "other", "third")
SEEDS = 30 if FULL else 3


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Give a dataset with forty records."""
    spec = DatasetSpec(
        name="notes", kind="classification", target="tone", fields={"sentence": TextField()}
    )
    found = register(store, spec)
    inputs = [spec.read_inputs({"sentence": f"bonjour {number}"}) for number in range(RECORDS)]
    with store.writing() as connection:
        rows = [NewRecord(spec.key(one), one) for one in inputs]
        add_records(connection, found.id, rows, "import")
    return found


def ids_of(store: Store, dataset: Dataset) -> list[int]:
    """Return the ids of a dataset's records."""
    with store.reading() as connection:
        return [one.id for one in each_record(connection, dataset.id)]


def wanted(store: Store, dataset: Dataset, *numbers: int) -> dict[str, int]:
    """Return requests, each for a record of its own."""
    ids = ids_of(store, dataset)
    return {f"hash {number}": ids[number % len(ids)] for number in numbers}


def caller(dataset: Dataset, enricher: str = "score", worker_id: int = 1) -> Caller:
    """Return who asks."""
    return Caller(dataset.id, enricher, worker_id)


def ask(store: Store, who: Caller, asked: dict[str, int], quota: Quota = TERMS) -> Grant:
    """Ask for calls in a transaction of its own."""
    return store.write(partial(grant_calls, caller=who, wanted=asked, quota=quota))


def settle(store: Store, who: Caller, grant: Grant, answered: Collection[str], made: int) -> None:
    """Keep answers to some of what was granted, and let others ask the rest."""
    answers = {one: f'"{one}"' for one in answered}
    settled = partial(settle_calls, caller=who, grant=grant, answers=answers)
    store.write(partial(settled, made=made))


def spent(store: Store, dataset: Dataset, enricher: str = "score") -> int:
    """Return what an enricher has spent."""
    with store.reading() as connection:
        return spent_calls(connection, dataset.id)[enricher]


def charged(store: Store, dataset: Dataset, enricher: str = "score") -> tuple[int, int]:
    """Return what an enricher has spent, and what it may be spending now."""
    with store.reading() as connection:
        mine = select(tables.meter.c.calls, tables.meter.c.held)
        row = connection.execute(mine.filter_by(dataset_id=dataset.id, enricher=enricher)).one()
    return row.calls, row.held


def age_holds(store: Store) -> None:
    """Let whoever is asking have asked for too long."""
    with store.writing() as connection:
        connection.execute(update(tables.response).values(held_until=0.0))
        connection.execute(update(tables.call_grant).values(held_until=0.0))


def begin_period_anew(store: Store, days: float) -> None:
    """Put the beginning of every period so far into the past."""
    with store.writing() as connection:
        earlier = tables.meter.c.period_at - days * DAY_SECONDS
        connection.execute(update(tables.meter).values(period_at=earlier))


def test_a_call_is_granted_once_while_it_is_being_made(store: Store, notes: Dataset) -> None:
    """Whoever else wants it is told that others are at it, whatever their enricher or worker."""
    asked = wanted(store, notes, 1, 2)
    first = ask(store, caller(notes), asked)
    assert set(first.mine) == set(asked)
    for who in (caller(notes, "other", 2), caller(notes, "score", 3)):
        second = ask(store, who, asked | wanted(store, notes, 3))
        assert second.others >= set(asked)
        assert set(second.mine) <= {"hash 3"}
        assert second.token != first.token


def test_an_answer_is_given_to_whoever_asks_later(store: Store, notes: Dataset) -> None:
    """For nothing, of another enricher too."""
    asked = wanted(store, notes, 1, 2)
    settle(store, caller(notes), ask(store, caller(notes), asked), list(asked), made=2)
    for enricher in ("score", "other"):
        run_once = ask(store, caller(notes, enricher), asked)
        assert run_once.answers == {"hash 1": '"hash 1"', "hash 2": '"hash 2"'}
        assert (run_once.mine, run_once.others) == ((), frozenset())
    assert charged(store, notes) == (2, 0)
    assert charged(store, notes, "other") == (0, 0)


def test_a_call_that_had_no_answer_may_be_made_by_another(store: Store, notes: Dataset) -> None:
    """What was made of it stays spent."""
    asked = wanted(store, notes, 1, 2)
    settle(store, caller(notes), ask(store, caller(notes), asked), ["hash 1"], made=2)
    run_once = ask(store, caller(notes, worker_id=2), asked)
    assert run_once.mine == ("hash 2",)
    assert charged(store, notes) == (2, 3)


def test_no_more_calls_are_granted_than_one_may_make_at_once(store: Store, notes: Dataset) -> None:
    """The rest are there for others."""
    quota = dataclasses.replace(TERMS, most_calls=4)
    asked = wanted(store, notes, *range(10))
    first = ask(store, caller(notes), asked, quota)
    second = ask(store, caller(notes, worker_id=2), asked, quota)
    assert (len(first.mine), len(second.mine)) == (4, 4)
    assert second.others == set(first.mine)


# What was committed without our hearing of it


def test_a_grant_that_was_not_heard_of_is_given_again(store: Store, notes: Dataset) -> None:
    """A worker asks when it makes no call: it must not wait for itself."""
    asked = wanted(store, notes, 1, 2)
    ask(store, caller(notes), asked)
    run_once = ask(store, caller(notes), asked)
    assert (set(run_once.mine), run_once.others) == (set(asked), frozenset())
    settle(store, caller(notes), run_once, list(asked), made=2)
    assert charged(store, notes)[1] == 0


def test_what_is_settled_twice_is_counted_once(store: Store, notes: Dataset) -> None:
    """Whoever did not hear that it was done does it again."""
    asked = wanted(store, notes, 1, 2)
    grant = ask(store, caller(notes), asked)
    for _ in range(2):
        settle(store, caller(notes), grant, ["hash 1"], made=2)
    assert charged(store, notes) == (2, 0)


# Takeover


def test_a_call_of_somebody_who_died_may_be_made_after_a_while(
    store: Store, notes: Dataset
) -> None:
    """And not before; what it may have made counts as spent."""
    asked = wanted(store, notes, 1)
    ask(store, caller(notes), asked)
    assert ask(store, caller(notes, worker_id=2), asked).others == set(asked)
    age_holds(store)
    assert ask(store, caller(notes, worker_id=2), asked).mine == tuple(asked)
    assert charged(store, notes) == (3, 3)


def test_a_call_of_a_worker_that_is_known_to_be_gone_may_be_made_at_once(
    store: Store, notes: Dataset
) -> None:
    """And those of nobody else."""
    mine, theirs = wanted(store, notes, 1, 2), wanted(store, notes, 3)
    ask(store, caller(notes), mine)
    ask(store, caller(notes, worker_id=2), theirs)
    with store.writing() as connection:
        free_calls_of(connection, 1)
    taken = ask(store, caller(notes, worker_id=3), mine | theirs)
    assert (set(taken.mine), taken.others) == (set(mine), frozenset(theirs))
    assert charged(store, notes) == (6, 9)


def test_answers_outlive_the_worker_that_had_them(store: Store, notes: Dataset) -> None:
    """What is answered is held by nobody."""
    asked = wanted(store, notes, 1)
    settle(store, caller(notes), ask(store, caller(notes), asked), list(asked), made=1)
    with store.writing() as connection:
        free_calls_of(connection, 1)
    assert set(ask(store, caller(notes, worker_id=2), asked).answers) == set(asked)


@pytest.mark.parametrize("answered", [[], ["hash 1"]], ids=["nothing", "an answer"])
def test_whoever_comes_back_late_does_not_release_what_another_is_asking(
    store: Store, notes: Dataset, answered: list[str]
) -> None:
    """A third would make the same call beside the second."""
    asked = wanted(store, notes, 1)
    late, second, third = (caller(notes, worker_id=number) for number in (1, 2, 3))
    before = ask(store, late, asked)
    age_holds(store)
    after = ask(store, second, asked)
    assert after.mine == tuple(asked)
    settle(store, late, before, answered, made=1)
    assert ask(store, third, asked).mine == ()
    settle(store, second, after, asked, made=1)
    assert set(ask(store, third, asked).answers) == set(asked)
    calls, held = charged(store, notes)
    assert held == 0
    assert calls >= 2


def test_what_was_taken_over_is_counted_once(store: Store, notes: Dataset) -> None:
    """In full when it is taken over: who was late adds only what was still theirs."""
    quota = dataclasses.replace(TERMS, budget_calls=9)
    late, second = caller(notes, worker_id=1), caller(notes, worker_id=2)
    before = ask(store, late, wanted(store, notes, 1, 2), quota)
    age_holds(store)
    after = ask(store, second, wanted(store, notes, 1), quota)
    assert after.mine == ("hash 1",)
    settle(store, late, before, [], made=6)
    settle(store, second, after, after.mine, made=3)
    assert charged(store, notes) == (9, 0)


def test_a_call_that_another_enricher_took_over_counts_as_spent(
    store: Store, notes: Dataset
) -> None:
    """The first may have made it, and holds nothing of its budget any more."""
    quota = dataclasses.replace(TERMS, budget_calls=6)
    asked = wanted(store, notes, 1)
    ask(store, caller(notes), asked, quota)
    age_holds(store)
    taken = ask(store, caller(notes, "other", 2), asked, quota)
    assert taken.mine == tuple(asked)
    settle(store, caller(notes, "other", 2), taken, asked, made=1)
    assert charged(store, notes, "other") == (1, 0)
    ask(store, caller(notes, worker_id=3), wanted(store, notes, 2), quota)
    assert charged(store, notes) == (3, 3)


def test_a_budget_that_only_the_dead_held_is_spent(store: Store, notes: Dataset) -> None:
    """Nobody gives anything of it back: to look again every few seconds would be for ever."""
    quota = dataclasses.replace(TERMS, budget_calls=6, budget_days=2)
    asked = wanted(store, notes, 1, 2)
    ask(store, caller(notes), asked, quota)
    age_holds(store)
    denied = ask(store, caller(notes, worker_id=2), asked, quota)
    assert (denied.mine, denied.reason) == ((), "its budget of 6 calls is spent")
    assert denied.postponed_seconds > HELD_SECONDS


def test_the_dead_hold_nothing_of_a_new_period(store: Store, notes: Dataset) -> None:
    """However much of the last one's budget it was."""
    quota = dataclasses.replace(TERMS, budget_calls=6, budget_days=2)
    asked = wanted(store, notes, 1, 2)
    ask(store, caller(notes), asked, quota)
    age_holds(store)
    ask(store, caller(notes, worker_id=2), asked, quota)
    begin_period_anew(store, 2)
    assert set(ask(store, caller(notes, worker_id=2), asked, quota).mine) == set(asked)


def test_two_enrichers_that_want_the_same_call_at_once_do_not_both_make_it(
    store: Store, notes: Dataset
) -> None:
    """Each has a meter of its own, so that neither waits for the other's."""
    asked = wanted(store, notes, *range(8))
    assert _mine(_ask_at_once(store, notes, asked)) == sorted(asked)
    charges = [charged(store, notes, name) for name in ("score", "other")]
    assert sum(held for _, held in charges) == 3 * len(asked)


def test_two_enrichers_that_find_the_same_call_of_the_dead_do_not_both_make_it(
    store: Store, notes: Dataset
) -> None:
    """It is taken over once."""
    asked = wanted(store, notes, *range(8))
    ask(store, caller(notes, "third", 9), asked)
    age_holds(store)
    assert _mine(_ask_at_once(store, notes, asked)) == sorted(asked)


def _mine(grant: Sequence[Grant]) -> list[str]:
    assert len(grant) == 2
    return sorted(itertools.chain.from_iterable(one.mine for one in grant))


def _ask_at_once(store: Store, dataset: Dataset, asked: dict[str, int]) -> list[Grant]:
    """Let one ask while the other's transaction is still open, where there may be two."""
    first, second = caller(dataset), caller(dataset, "other", 2)
    if store.writer.dialect.name == "sqlite":
        return [ask(store, first, asked), ask(store, second, asked)]
    grant: list[Grant] = []
    with store.writer.connect() as slow:
        grant.append(grant_calls(slow, first, asked, TERMS))
        other = threading.Thread(target=lambda: grant.append(ask(store, second, asked)))
        other.start()
        # It waits for the row that is being written, or is done before.
        other.join(1.0)
        slow.commit()
        other.join()
    return grant


# Budget


@dataclasses.dataclass
class Open:
    """A grant that is not settled, the period it is of, and the last one it may call in."""

    who: Caller
    grant: Grant
    first: int
    last: int | None = None

    @property
    def most(self) -> int:
        """How many calls it may come to."""
        return TERMS.tries * len(self.grant.mine)


class Wanderer:
    """Enrichers that ask and settle in any order; counts what they called and may still call."""

    def __init__(self, store: Store, dataset: Dataset, seed: int) -> None:
        self.chance = random.Random(seed)
        self._store = store
        self._found = dataset
        self._ids = ids_of(store, dataset)
        self._open: list[Open] = []
        # A period begins with the first who asks after the last one's end.
        self._periods = dict.fromkeys(ENRICHERS, 0)
        self._over: set[str] = set()
        self._workers = itertools.count(1)
        # By enricher and period: the calls made.
        self._called: dict[tuple[str, int], int] = {}

    def ask(self, enricher: str, quota: Quota) -> None:
        """Ask for some calls, which nobody else may be making."""
        who = caller(self._found, enricher, next(self._workers))
        numbers = self.chance.sample(range(500), self.chance.randint(1, 30))
        asked = {f"hash {number}": self._ids[number % RECORDS] for number in numbers}
        grant = ask(self._store, who, asked, quota)
        alive = (one for one in self._open if one.last is None)
        assert {at for one in alive for at in one.grant.mine}.isdisjoint(grant.mine)
        if enricher in self._over:
            self._over.discard(enricher)
            self._periods[enricher] += 1
        if grant.mine:
            self._open.append(Open(who, grant, self._periods[enricher]))

    def settle(self) -> None:
        """Make the calls of one grant, each with as many tries as it happens to take."""
        if not self._open:
            return
        one = self._open.pop(self.chance.randrange(len(self._open)))
        mine = one.grant.mine
        made = sum(self.chance.randint(0, TERMS.tries) for _ in mine)
        answered = [asked for asked in mine if self.chance.random() < 0.5]
        settle(self._store, one.who, one.grant, answered, made)
        self._count(self._called, one, made)

    def _count(self, called: dict[tuple[str, int], int], one: Open, made: int) -> None:
        # Nobody knows when they were made: each period must have room for all of them.
        enricher = one.who.enricher
        last = self._periods[enricher] if one.last is None else one.last
        for period in range(one.first, last + 1):
            key = (enricher, period)
            called[key] = called.get(key, 0) + made

    def fall_silent(self) -> None:
        """Let one who is asking be taken for dead; it calls no more, and may come back late."""
        alive = [one for one in self._open if one.last is None]
        if alive:
            one = self.chance.choice(alive)
            one.last = self._periods[one.who.enricher]
            with self._store.writing() as connection:
                free_calls_of(connection, one.who.worker_id)

    def next_period(self, days: float) -> None:
        """Let the period be over."""
        begin_period_anew(self._store, days)
        self._over = set(ENRICHERS)

    def erase(self) -> None:
        """Erase a record, whatever is being asked for it."""
        left = ids_of(self._store, self._found)
        forget(self._store, self._found, self.chance.choice(left))

    def worst(self) -> dict[tuple[str, int], int]:
        """Return the calls of each enricher and period if all that is open takes every try."""
        worst = dict(self._called)
        for one in self._open:
            self._count(worst, one, one.most)
        return worst

    def settle_all(self) -> None:
        """Let everybody come to an end."""
        while self._open:
            self.settle()


def _wander(store: Store, dataset: Dataset, seed: int, *, periods: bool) -> None:
    quota = dataclasses.replace(TERMS, budget_calls=100, budget_days=1)
    wanderer = Wanderer(store, dataset, seed)
    for _ in range(80):
        step = wanderer.chance.random()
        if step < 0.5:
            wanderer.ask(wanderer.chance.choice(ENRICHERS), quota)
        elif step < 0.85:
            wanderer.settle()
        elif step < 0.92:
            wanderer.fall_silent()
        elif step < 0.95 or not periods:
            wanderer.erase()
        else:
            wanderer.next_period(1)
        for key, calls in wanderer.worst().items():
            assert calls <= 100, key
    assert wanderer.worst()
    wanderer.settle_all()
    assert [charged(store, dataset, name)[1] for name in ENRICHERS] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_sequence_of_grants_and_settlements_exceeds_a_budget(
    store: Store, notes: Dataset, seed: int
) -> None:
    """Even if every call that is open takes every try, and some who asked have died.

    Each call is granted to one at a time, and once all have ended nothing is held.
    """
    _wander(store, notes, seed, periods=False)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_sequence_exceeds_a_budget_where_periods_end_in_between(
    store: Store, notes: Dataset, seed: int
) -> None:
    """What was granted in one period may be called in the next, and so counts there too."""
    _wander(store, notes, seed, periods=True)


def test_what_is_being_called_when_a_period_ends_counts_in_the_next(
    store: Store, notes: Dataset
) -> None:
    """Or one could spend more than its budget there."""
    quota = dataclasses.replace(TERMS, budget_calls=60, budget_days=1)
    before = ask(store, caller(notes), wanted(store, notes, *range(15)), quota)
    begin_period_anew(store, 1)
    after = ask(store, caller(notes, worker_id=2), wanted(store, notes, *range(15, 30)), quota)
    assert (len(before.mine), len(after.mine)) == (15, 5)
    assert charged(store, notes) == (0, 60)
    settle(store, caller(notes), before, before.mine, made=20)
    assert charged(store, notes) == (20, 15)


def test_a_budget_that_is_spent_says_so_and_for_how_long(store: Store, notes: Dataset) -> None:
    """The last tries - 1 calls of it may stay unused."""
    quota = dataclasses.replace(TERMS, budget_calls=8, budget_days=2)
    grant = ask(store, caller(notes), wanted(store, notes, *range(10)), quota)
    assert len(grant.mine) == 2
    settle(store, caller(notes), grant, grant.mine, made=6)
    denied = ask(store, caller(notes), wanted(store, notes, *range(2, 10)), quota)
    assert denied.mine == ()
    assert denied.reason == "its budget of 8 calls is spent"
    assert DAY_SECONDS < denied.postponed_seconds <= 2 * DAY_SECONDS
    assert spent(store, notes) == 6


def test_a_budget_whose_rest_is_being_used_postpones_a_few_seconds(
    store: Store, notes: Dataset
) -> None:
    """Whoever made the calls gives back what they do not need: it is no use waiting for a month."""
    quota = dataclasses.replace(TERMS, budget_calls=8, budget_days=30)
    grant = ask(store, caller(notes), wanted(store, notes, 1, 2), quota)
    asked = wanted(store, notes, 3)
    denied = ask(store, caller(notes, worker_id=2), asked, quota)
    assert (len(grant.mine), denied.mine) == (2, ())
    assert denied.reason == "what is left of its budget of 8 calls is being used"
    assert 0 < denied.postponed_seconds <= HELD_SECONDS <= 10
    assert spent(store, notes) == 0
    settle(store, caller(notes), grant, grant.mine, made=2)
    assert ask(store, caller(notes, worker_id=2), asked, quota).mine == ("hash 3",)


def test_a_new_period_gives_a_new_budget(store: Store, notes: Dataset) -> None:
    """And not a moment sooner."""
    quota = dataclasses.replace(TERMS, budget_calls=6, budget_days=2)
    grant = ask(store, caller(notes), wanted(store, notes, 1, 2), quota)
    settle(store, caller(notes), grant, grant.mine, made=6)
    begin_period_anew(store, 1.9)
    assert ask(store, caller(notes), wanted(store, notes, 3), quota).mine == ()
    begin_period_anew(store, 0.2)
    asked = wanted(store, notes, 3, 4, 5)
    assert ask(store, caller(notes), asked, quota).mine == ("hash 3", "hash 4")
    assert charged(store, notes) == (0, 6)


def test_what_has_an_answer_is_given_though_the_budget_is_spent(
    store: Store, notes: Dataset
) -> None:
    """It was paid for."""
    quota = dataclasses.replace(TERMS, budget_calls=3, budget_days=2)
    grant = ask(store, caller(notes), wanted(store, notes, 1), quota)
    settle(store, caller(notes), grant, ["hash 1"], made=3)
    given = ask(store, caller(notes), wanted(store, notes, 1, 2), quota)
    assert given.answers == {"hash 1": '"hash 1"'}
    assert (given.mine, given.reason) == ((), "its budget of 3 calls is spent")


# Rate


def next_slot(store: Store) -> float:
    """Return when the next call may be made, by the store's clock."""
    with store.reading() as connection:
        return float(connection.execute(select(tables.meter.c.next_call)).scalar_one())


@pytest.mark.parametrize("rate", [0.5, 20.0, 1000.0])
def test_slots_are_never_closer_than_the_rate_allows(
    store: Store, notes: Dataset, rate: float
) -> None:
    """Over many grants, of however many askers; what is refused takes no slot."""
    quota = dataclasses.replace(TERMS, calls_per_second=rate)
    chance = random.Random(int(rate))
    slots: list[float] = []
    numbers = itertools.count()
    for _ in range(60):
        count = chance.randint(1, 20)
        asked = wanted(store, notes, *itertools.islice(numbers, count))
        grant = ask(store, caller(notes), asked, quota)
        first = next_slot(store) - len(grant.mine) / rate
        slots += [first + at / rate for at in range(len(grant.mine))]
        assert 0 <= grant.wait_seconds <= 1
        assert bool(grant.mine) != bool(grant.reason)
    assert slots
    gaps = [later - earlier for earlier, later in itertools.pairwise(slots)]
    assert all(gap >= 1 / rate - 1e-5 for gap in gaps)


def test_a_rate_that_is_used_up_says_so_and_for_how_long(store: Store, notes: Dataset) -> None:
    """A slot that far away is not waited for."""
    quota = dataclasses.replace(TERMS, calls_per_second=0.01)
    assert len(ask(store, caller(notes), wanted(store, notes, 1, 2), quota).mine) == 1
    denied = ask(store, caller(notes), wanted(store, notes, 2), quota)
    assert (denied.mine, denied.reason) == ((), "its rate of 0.01 calls a second is used up")
    assert 0 < denied.postponed_seconds <= 100


# Erased records


def response_count(store: Store) -> int:
    """Count calls that are being made or answered."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.response)).scalar_one()


def forget(store: Store, dataset: Dataset, record_id: int) -> None:
    """Erase a record."""
    with store.writing() as connection:
        [key] = [one.key for one in each_record(connection, dataset.id) if one.id == record_id]
        forget_record(connection, dataset.id, key)


def test_a_forgotten_record_takes_its_answer_with_it(store: Store, notes: Dataset) -> None:
    """Another record that wants the same pays for it again."""
    [first, second] = ids_of(store, notes)[:2]
    grant = ask(store, caller(notes), {"hash": first})
    settle(store, caller(notes), grant, ["hash"], made=1)
    forget(store, notes, first)
    assert response_count(store) == 0
    assert ask(store, caller(notes), {"hash": second}).mine == ("hash",)


def test_a_record_erased_before_its_call_is_granted_gets_none(store: Store, notes: Dataset) -> None:
    """Its neighbours do, it costs nothing, and whoever asks is told that it is gone."""
    asked = wanted(store, notes, 1, 2, 3)
    forget(store, notes, asked["hash 2"])
    grant = ask(store, caller(notes), asked)
    assert set(grant.mine) == {"hash 1", "hash 3"}
    assert grant.gone == {"hash 2"}
    assert charged(store, notes) == (0, 6)


def test_a_record_erased_while_others_make_its_call_is_gone(store: Store, notes: Dataset) -> None:
    """Whoever waits for it is told, and never waits for ever."""
    asked = wanted(store, notes, 1)
    ask(store, caller(notes), asked)
    forget(store, notes, asked["hash 1"])
    assert ask(store, caller(notes, worker_id=2), asked).gone == {"hash 1"}


def test_an_answer_for_a_record_erased_meanwhile_is_not_kept(store: Store, notes: Dataset) -> None:
    """What it cost stays spent, and what it did not is given back."""
    asked = wanted(store, notes, 1)
    grant = ask(store, caller(notes), asked)
    forget(store, notes, asked["hash 1"])
    settle(store, caller(notes), grant, ["hash 1"], made=1)
    assert response_count(store) == 0
    assert charged(store, notes) == (1, 0)
