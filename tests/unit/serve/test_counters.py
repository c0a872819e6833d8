"""What a web process counts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.telemetry.counters import BOUNDS_SECONDS, Counts, Durations, RequestCounters, p95, total

SECONDS = st.floats(0, 60)
WORDS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(0, 10**9)
DURATIONS = st.lists(SECONDS, max_size=8)
REQUESTS = st.tuples(WORDS, WORDS, WORDS, SECONDS)


def noted(seconds: list[float]) -> Durations:
    """Return durations with these counted."""
    durations = Durations()
    for one in seconds:
        durations.observe(one)
    return durations


def counted(requests: list[tuple[str, str, str, float]]) -> RequestCounters:
    """Return a tally with these requests answered."""
    counters = RequestCounters()
    for request in requests:
        counters.begin()
        counters.end(*request)
    return counters


COUNTS = st.builds(
    Counts,
    requests=st.dictionaries(st.tuples(WORDS, WORDS, WORDS), NUMBERS),
    durations=st.dictionaries(WORDS, DURATIONS.map(noted)),
    answers=st.dictionaries(st.tuples(WORDS, WORDS), NUMBERS),
    shed=NUMBERS,
)


@given(SECONDS)
def test_a_duration_is_counted_under_the_first_bound_that_holds_it(seconds: float) -> None:
    """A bound holds what is equal to it, as Prometheus's `le` says."""
    counts = noted([seconds]).counts
    assert (len(counts), sum(counts)) == (len(BOUNDS_SECONDS) + 1, 1)
    place = counts.index(1)
    assert all(bound < seconds for bound in BOUNDS_SECONDS[:place])
    assert all(bound >= seconds for bound in BOUNDS_SECONDS[place:])


@pytest.mark.parametrize(("place", "bound"), list(enumerate(BOUNDS_SECONDS)))
def test_a_duration_equal_to_a_bound_is_within_it(place: int, bound: float) -> None:
    """And what is a little more is not."""
    assert noted([bound]).counts[place] == 1
    assert noted([bound + 1e-9]).counts[place + 1] == 1


@given(DURATIONS, DURATIONS)
def test_durations_added_are_as_if_one_process_had_noted_all(
    mine: list[float], its: list[float]
) -> None:
    """However they were shared out."""
    together, whole = noted(mine), noted(mine + its)
    together.add(noted(its))
    assert together.counts == whole.counts
    assert together.seconds == pytest.approx(whole.seconds)


@given(COUNTS, COUNTS)
def test_counts_added_are_the_sum_under_every_name(mine: Counts, its: Counts) -> None:
    """Also under a name that only one of them has."""
    both = total([mine, its])
    for name in ("requests", "answers"):
        first, second, summed = (getattr(one, name) for one in (mine, its, both))
        assert summed == {
            key: first.get(key, 0) + second.get(key, 0) for key in first.keys() | second.keys()
        }
    assert both.shed == mine.shed + its.shed
    assert both.durations.keys() == mine.durations.keys() | its.durations.keys()


@given(COUNTS, COUNTS)
def test_counts_that_are_added_up_stay_as_they_are(mine: Counts, its: Counts) -> None:
    """A scrape must not change what the next one reads."""
    before = msgspec.msgpack.encode([mine, its])
    total([mine, its]).add(its)
    assert msgspec.msgpack.encode([mine, its]) == before


@given(st.lists(REQUESTS, max_size=20))
def test_every_request_is_counted_once(requests: list[tuple[str, str, str, float]]) -> None:
    """By route, method and status, and by how long it took."""
    counters = counted(requests)
    counts = counters.counts()
    assert sum(counts.requests.values()) == len(requests)
    assert sum(sum(one.counts) for one in counts.durations.values()) == len(requests)
    assert counters.in_flight == 0
    for key, count in counts.requests.items():
        assert count == sum(key == request[:3] for request in requests)


def test_counts_that_were_read_do_not_change_when_more_is_counted() -> None:
    """They are being written while requests come."""
    counters = counted([("/", "GET", "200", 0.1)])
    before = counters.counts()
    counters.begin()
    counters.end("/", "GET", "200", 0.1)
    counters.count_shed()
    counters.count_answer(1, "intents", "memory", "student", "yes")
    assert before == counted([("/", "GET", "200", 0.1)]).counts()
    assert counters.counts().requests == {("/", "GET", "200"): 2}
    assert (counters.counts().shed, counters.counts().answers) == (1, {("intents", "memory"): 1})


def test_a_request_is_in_flight_until_it_is_answered() -> None:
    """It belongs to the load before it has a duration."""
    counters = RequestCounters()
    counters.begin()
    load = counters.take_load()
    assert (load.in_flight, load.requests_per_second, load.p95_seconds) == (1, 0, 0)
    counters.end("/", "GET", "200", 0.2)
    load = counters.take_load()
    assert (load.in_flight, load.p95_seconds) == (0, 0.2)
    assert load.requests_per_second > 0


def test_a_load_that_was_taken_is_not_told_again() -> None:
    """Each second speaks for itself; counts go on."""
    counters = counted([("/", "GET", "200", 0.5)])
    assert counters.take_load().p95_seconds == 0.5
    load = counters.take_load()
    assert (load.requests_per_second, load.p95_seconds) == (0, 0)
    assert counters.counts().requests == {("/", "GET", "200"): 1}


@given(st.lists(SECONDS, min_size=1, max_size=200))
def test_95_of_100_requests_took_at_most_the_p95(seconds: list[float]) -> None:
    """And it is the least duration of which that is true."""
    found = p95(seconds)
    assert found in seconds
    assert sum(one <= found for one in seconds) * 100 >= 95 * len(seconds)
    assert sum(one < found for one in seconds) * 100 < 95 * len(seconds)


def test_the_p95_of_nothing_is_0() -> None:
    """A process without requests is not slow."""
    assert p95([]) == 0


def served() -> RequestCounters:
    """Return a tally of three answers, two of them alike."""
    counters = RequestCounters()
    for prediction in ("yes", "no", "yes"):
        counters.count_answer(1, "intents", "memory", "student", prediction)
    return counters


def test_what_was_served_is_taken_once() -> None:
    """Else the store would count it twice."""
    counters = served()
    assert counters.take_served() == {(1, "student", "yes"): 2, (1, "student", "no"): 1}
    assert counters.take_served() == {}
    assert counters.counts().answers == {("intents", "memory"): 3}


def test_what_is_given_back_is_added_to_what_was_served_since() -> None:
    """A store that is out of reach for a while costs no counts."""
    counters = served()
    taken = counters.take_served()
    counters.count_answer(1, "intents", "memory", "student", "yes")
    counters.count_answer(2, "customers", "memory", "teacher", "yes")
    counters.restore_served(taken)
    assert counters.take_served() == {
        (1, "student", "yes"): 3,
        (1, "student", "no"): 1,
        (2, "teacher", "yes"): 1,
    }
