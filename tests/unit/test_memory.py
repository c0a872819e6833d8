"""The memory cache: bounded, and forgetting what is too old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serve.memory import Memory

# Its time is over before it begins.
NO_TIME = -1.0


def test_what_was_put_is_there() -> None:
    """By dataset and key."""
    memory = Memory(10)
    memory.put(1, b"a", b"one")
    memory.put(2, b"a", b"two")
    assert memory.get(1, b"a") == b"one"
    assert memory.get(2, b"a") == b"two"
    assert memory.get(1, b"b") is None
    assert len(memory) == 2


def test_what_is_put_again_takes_the_place_of_the_old() -> None:
    """The teacher's answer replaces the student's."""
    memory = Memory(10)
    memory.put(1, b"a", b"student", seconds=30)
    memory.put(1, b"a", b"teacher")
    assert memory.get(1, b"a") == b"teacher"
    assert len(memory) == 1


def test_what_is_too_old_is_gone() -> None:
    """And takes no room."""
    memory = Memory(10)
    memory.put(1, b"a", b"old", seconds=NO_TIME)
    memory.put(1, b"b", b"young", seconds=1000)
    assert memory.get(1, b"a") is None
    assert memory.get(1, b"b") == b"young"
    assert len(memory) == 1


def test_what_was_used_longest_ago_goes_first() -> None:
    """Reading counts as using."""
    memory = Memory(2)
    memory.put(1, b"a", b"one")
    memory.put(1, b"b", b"two")
    assert memory.get(1, b"a") == b"one"
    memory.put(1, b"c", b"three")
    assert memory.get(1, b"b") is None
    assert memory.get(1, b"a") == b"one"
    assert memory.get(1, b"c") == b"three"


def test_writing_again_counts_as_using() -> None:
    """A renewed answer is wanted."""
    memory = Memory(2)
    for key in (b"a", b"b", b"a", b"c"):
        memory.put(1, key, key)
    assert memory.get(1, b"b") is None
    assert memory.get(1, b"a") == b"a"


def test_a_memory_without_entries_remembers_nothing() -> None:
    """CACHE_ENTRIES=0 turns it off."""
    memory = Memory(0)
    memory.put(1, b"a", b"one")
    assert memory.get(1, b"a") is None
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
            memory.put(1, key, key)
        else:
            assert memory.get(1, key) == (key if number in used else None)
        if is_put or number in used:
            used = [*(other for other in used if other != number), number][-entries:]
        assert len(memory) == len(used)
