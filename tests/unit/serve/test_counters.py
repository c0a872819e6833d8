"""Tests of the counters of a web process."""

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


def durations_of(seconds: list[float]) -> Durations:
    """Return durations with these observations."""
    durations = Durations()
    for value in seconds:
        durations.observe(value)
    return durations


def counters_of(requests: list[tuple[str, str, str, float]]) -> RequestCounters:
    """Return counters after these requests."""
    counters = RequestCounters()
    for request in requests:
        counters.begin()
        counters.end(*request)
    return counters


COUNTS = st.builds(
    Counts,
    requests=st.dictionaries(st.tuples(WORDS, WORDS, WORDS), NUMBERS),
    durations=st.dictionaries(WORDS, DURATIONS.map(durations_of)),
    answers=st.dictionaries(st.tuples(WORDS, WORDS), NUMBERS),
    shed=NUMBERS,
)


@given(SECONDS)
def test_a_duration_is_counted_under_the_first_bound_that_includes_it(seconds: float) -> None:
    """A bound includes an equal duration, as Prometheus's `le` does."""
    counts = durations_of([seconds]).counts
    assert (len(counts), sum(counts)) == (len(BOUNDS_SECONDS) + 1, 1)
    place = counts.index(1)
    assert all(bound < seconds for bound in BOUNDS_SECONDS[:place])
    assert all(bound >= seconds for bound in BOUNDS_SECONDS[place:])


@pytest.mark.parametrize(("place", "bound"), list(enumerate(BOUNDS_SECONDS)))
def test_a_duration_equal_to_a_bound_is_within_it(place: int, bound: float) -> None:
    """A slightly longer duration belongs to the next bound."""
    assert durations_of([bound]).counts[place] == 1
    assert durations_of([bound + 1e-9]).counts[place + 1] == 1


@given(DURATIONS, DURATIONS)
def test_added_durations_equal_those_of_a_single_process(
    left: list[float], right: list[float]
) -> None:
    """Any process may have observed any of them."""
    summed, expected = durations_of(left), durations_of(left + right)
    summed.add(durations_of(right))
    assert summed.counts == expected.counts
    assert summed.seconds == pytest.approx(expected.seconds)


@given(COUNTS, COUNTS)
def test_added_counts_are_the_sum_for_every_name(left: Counts, right: Counts) -> None:
    """Names that only one of them has are included."""
    both = total([left, right])
    for name in ("requests", "answers"):
        first, second, summed = (getattr(counts, name) for counts in (left, right, both))
        assert summed == {
            key: first.get(key, 0) + second.get(key, 0) for key in first.keys() | second.keys()
        }
    assert both.shed == left.shed + right.shed
    assert both.durations.keys() == left.durations.keys() | right.durations.keys()


@given(COUNTS, COUNTS)
def test_adding_counts_does_not_change_them(left: Counts, right: Counts) -> None:
    """A scrape must not change what the next one reads."""
    before = msgspec.msgpack.encode([left, right])
    total([left, right]).add(right)
    assert msgspec.msgpack.encode([left, right]) == before


@given(st.lists(REQUESTS, max_size=20))
def test_every_request_is_counted_once(requests: list[tuple[str, str, str, float]]) -> None:
    """It is counted by route, method and status, and by its duration."""
    counters = counters_of(requests)
    counts = counters.counts()
    assert sum(counts.requests.values()) == len(requests)
    assert sum(sum(durations.counts) for durations in counts.durations.values()) == len(requests)
    assert counters.in_flight == 0
    for key, count in counts.requests.items():
        assert count == sum(key == request[:3] for request in requests)


def test_counts_that_were_read_do_not_change_with_later_requests() -> None:
    """Requests continue while the counts are written."""
    counters = counters_of([("/", "GET", "200", 0.1)])
    before = counters.counts()
    counters.begin()
    counters.end("/", "GET", "200", 0.1)
    counters.count_shed()
    counters.count_answer(1, "intents", "memory", "student", "yes")
    assert before == counters_of([("/", "GET", "200", 0.1)]).counts()
    assert counters.counts().requests == {("/", "GET", "200"): 2}
    assert (counters.counts().shed, counters.counts().answers) == (1, {("intents", "memory"): 1})


def test_a_request_is_in_flight_until_it_is_answered() -> None:
    """It is part of the load before it has a duration."""
    counters = RequestCounters()
    counters.begin()
    load = counters.take_load()
    assert (load.in_flight, load.requests_per_second, load.p95_seconds) == (1, 0, 0)
    counters.end("/", "GET", "200", 0.2)
    load = counters.take_load()
    assert (load.in_flight, load.p95_seconds) == (0, 0.2)
    assert load.requests_per_second > 0


def test_a_load_covers_only_the_time_since_the_one_before() -> None:
    """The counts themselves are not reset."""
    counters = counters_of([("/", "GET", "200", 0.5)])
    assert counters.take_load().p95_seconds == 0.5
    load = counters.take_load()
    assert (load.requests_per_second, load.p95_seconds) == (0, 0)
    assert counters.counts().requests == {("/", "GET", "200"): 1}


@given(st.lists(SECONDS, min_size=1, max_size=200))
def test_95_of_100_requests_took_at_most_the_p95(seconds: list[float]) -> None:
    """It is the shortest duration for which this is true."""
    result = p95(seconds)
    assert result in seconds
    assert sum(value <= result for value in seconds) * 100 >= 95 * len(seconds)
    assert sum(value < result for value in seconds) * 100 < 95 * len(seconds)


def test_the_p95_of_no_requests_is_0() -> None:
    """A process without requests is not slow."""
    assert p95([]) == 0


def served_counters() -> RequestCounters:
    """Return counters after three answers, two of them alike."""
    counters = RequestCounters()
    for prediction in ("yes", "no", "yes"):
        counters.count_answer(1, "intents", "memory", "student", prediction)
    return counters


def test_served_answers_are_taken_once() -> None:
    """Otherwise the store would count them twice."""
    counters = served_counters()
    assert counters.take_served() == {(1, "student", "yes"): 2, (1, "student", "no"): 1}
    assert counters.take_served() == {}
    assert counters.counts().answers == {("intents", "memory"): 3}


def test_restored_answers_are_added_to_later_ones() -> None:
    """No counts are lost while the store is down."""
    counters = served_counters()
    taken = counters.take_served()
    counters.count_answer(1, "intents", "memory", "student", "yes")
    counters.count_answer(2, "customers", "memory", "teacher", "yes")
    counters.restore_served(taken)
    assert counters.take_served() == {
        (1, "student", "yes"): 3,
        (1, "student", "no"): 1,
        (2, "teacher", "yes"): 1,
    }
