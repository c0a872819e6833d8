"""The memory cache: bounded, and forgetting what is too old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serve.prediction.cache import SLOT_BYTES, CachedResponse, ResponseCache

# Its time is over before it begins.
NO_TIME = -1.0


def kept(body: bytes) -> CachedResponse:
    """Return an answer with this body."""
    return CachedResponse(body, '"tag"', 1, "intents", "teacher", "find-train")


def test_what_was_put_is_there() -> None:
    """By how it was asked for."""
    memory = ResponseCache(10)
    memory.put("1a", kept(b"one"))
    memory.put("2a", kept(b"two"))
    assert memory.get("1a") == kept(b"one")
    assert memory.get("2a") == kept(b"two")
    assert memory.get("1b") is None
    assert len(memory) == 2


def test_what_is_put_again_takes_the_place_of_the_old() -> None:
    """The teacher's answer replaces the student's."""
    memory = ResponseCache(10)
    memory.put("1a", kept(b"student"), seconds=30)
    memory.put("1a", kept(b"teacher"))
    assert memory.get("1a") == kept(b"teacher")
    assert len(memory) == 1


def test_what_is_too_old_is_gone() -> None:
    """And takes no room."""
    memory = ResponseCache(10)
    memory.put("1a", kept(b"old"), seconds=NO_TIME)
    memory.put("1b", kept(b"young"), seconds=1000)
    assert memory.get("1a") is None
    assert memory.get("1b") == kept(b"young")
    assert len(memory) == 1


def test_what_was_used_longest_ago_goes_first() -> None:
    """Reading counts as using."""
    memory = ResponseCache(2)
    memory.put("1a", kept(b"one"))
    memory.put("1b", kept(b"two"))
    assert memory.get("1a") == kept(b"one")
    memory.put("1c", kept(b"three"))
    assert memory.get("1b") is None
    assert memory.get("1a") == kept(b"one")
    assert memory.get("1c") == kept(b"three")


def test_writing_again_counts_as_using() -> None:
    """A renewed answer is wanted."""
    memory = ResponseCache(2)
    for key in (b"a", b"b", b"a", b"c"):
        memory.put(f"1{key.decode()}", kept(key))
    assert memory.get("1b") is None
    assert memory.get("1a") == kept(b"a")


def test_a_memory_without_entries_remembers_nothing() -> None:
    """CACHE_ENTRIES=0 turns it off."""
    memory = ResponseCache(0)
    memory.put("1a", kept(b"one"))
    assert memory.get("1a") is None
    assert len(memory) == 0


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_it_holds_the_entries_used_last_and_no_more(
    entries: int, steps: list[tuple[bool, int]]
) -> None:
    """Whatever is put and read, in any order."""
    memory = ResponseCache(entries)
    used: list[int] = []
    for is_put, number in steps:
        key = bytes([number])
        address = key.decode()
        if is_put:
            memory.put(address, kept(key))
        else:
            assert memory.get(address) == (kept(key) if number in used else None)
        if is_put or number in used:
            used = [*(other for other in used if other != number), number][-entries:]
        assert len(memory) == len(used)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5000)), max_size=60))
def test_it_never_holds_more_bytes_than_it_may(steps: list[tuple[int, int]]) -> None:
    """However large the answers are; one that is too large alone is not kept at all."""
    most = 3 * (SLOT_BYTES + 1000)
    memory = ResponseCache(100, most)
    for place, size in steps:
        address = f"{place:08}"
        memory.put(address, kept(b"x" * size))
        assert memory.bytes <= most
        assert (memory.get(address) is not None) == (size + 8 + SLOT_BYTES <= most)
    left = [found for place in range(10) if (found := memory.get(f"{place:08}"))]
    sizes = [len(found.body) + 8 + SLOT_BYTES for found in left]
    assert memory.bytes == sum(sizes)
