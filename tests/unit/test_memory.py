"""The memory cache: bounded, and forgetting what is too old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serve.memory import SLOT_BYTES, Kept, Memory

# Its time is over before it begins.
NO_TIME = -1.0


def kept(body: bytes) -> Kept:
    """Return an answer with this body."""
    return Kept(body, '"tag"', 1, "intents", "teacher", "find-train")


def test_what_was_put_is_there() -> None:
    """By any place."""
    memory = Memory(10)
    memory.put((1, b"a"), kept(b"one"), 1)
    memory.put((2, b"a"), kept(b"two"), 1)
    assert memory.get((1, b"a")) == kept(b"one")
    assert memory.get((2, b"a")) == kept(b"two")
    assert memory.get((1, b"b")) is None
    assert len(memory) == 2


def test_what_is_put_again_takes_the_place_of_the_old() -> None:
    """The teacher's answer replaces the student's."""
    memory = Memory(10)
    memory.put((1, b"a"), kept(b"student"), 1, seconds=30)
    memory.put((1, b"a"), kept(b"teacher"), 1)
    assert memory.get((1, b"a")) == kept(b"teacher")
    assert len(memory) == 1


def test_what_is_too_old_is_gone() -> None:
    """And takes no room."""
    memory = Memory(10)
    memory.put((1, b"a"), kept(b"old"), 1, seconds=NO_TIME)
    memory.put((1, b"b"), kept(b"young"), 1, seconds=1000)
    assert memory.get((1, b"a")) is None
    assert memory.get((1, b"b")) == kept(b"young")
    assert len(memory) == 1


def test_what_was_used_longest_ago_goes_first() -> None:
    """Reading counts as using."""
    memory = Memory(2)
    memory.put((1, b"a"), kept(b"one"), 1)
    memory.put((1, b"b"), kept(b"two"), 1)
    assert memory.get((1, b"a")) == kept(b"one")
    memory.put((1, b"c"), kept(b"three"), 1)
    assert memory.get((1, b"b")) is None
    assert memory.get((1, b"a")) == kept(b"one")
    assert memory.get((1, b"c")) == kept(b"three")


def test_writing_again_counts_as_using() -> None:
    """A renewed answer is wanted."""
    memory = Memory(2)
    for key in (b"a", b"b", b"a", b"c"):
        memory.put((1, key), kept(key), 1)
    assert memory.get((1, b"b")) is None
    assert memory.get((1, b"a")) == kept(b"a")


def test_a_memory_without_entries_remembers_nothing() -> None:
    """CACHE_ENTRIES=0 turns it off."""
    memory = Memory(0)
    memory.put((1, b"a"), kept(b"one"), 1)
    assert memory.get((1, b"a")) is None
    assert len(memory) == 0


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_it_holds_the_entries_used_last_and_no_more(
    entries: int, steps: list[tuple[bool, int]]
) -> None:
    """Whatever is put and read, in any order."""
    memory = Memory(entries)
    used: list[int] = []
    for is_put, number in steps:
        key = bytes([number])
        if is_put:
            memory.put(key, kept(key), 1)
        else:
            assert memory.get(key) == (kept(key) if number in used else None)
        if is_put or number in used:
            used = [*(other for other in used if other != number), number][-entries:]
        assert len(memory) == len(used)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5000)), max_size=60))
def test_it_never_holds_more_bytes_than_it_may(steps: list[tuple[int, int]]) -> None:
    """However large the answers are; one that is too large alone is not kept at all."""
    most = 3 * (SLOT_BYTES + 1000)
    memory = Memory(100, most)
    for place, size in steps:
        memory.put(place, kept(b"x" * size), 8)
        assert memory.bytes <= most
        assert (memory.get(place) is not None) == (size + 8 + SLOT_BYTES <= most)
    sizes = [len(found.body) + 8 + SLOT_BYTES for at in range(10) if (found := memory.get(at))]
    assert memory.bytes == sum(sizes)
