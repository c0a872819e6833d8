"""Tests of the response cache: its limits, and the expiry of its entries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serve.prediction.cache import SLOT_BYTES, CachedResponse, ResponseCache

# A response with this lifetime has already expired.
EXPIRED = -1.0


def response(body: bytes) -> CachedResponse:
    """Return a response with this body."""
    return CachedResponse(body, '"tag"', 1, "intents", "teacher", "find-train")


def test_a_stored_response_is_found() -> None:
    """It is found by the version and the input that were requested."""
    cache = ResponseCache(10)
    cache.put("1a", response(b"one"))
    cache.put("2a", response(b"two"))
    assert cache.get("1a") == response(b"one")
    assert cache.get("2a") == response(b"two")
    assert cache.get("1b") is None
    assert len(cache) == 2


def test_a_new_response_replaces_the_old_one() -> None:
    """The teacher's answer replaces the student's."""
    cache = ResponseCache(10)
    cache.put("1a", response(b"student"), seconds=30)
    cache.put("1a", response(b"teacher"))
    assert cache.get("1a") == response(b"teacher")
    assert len(cache) == 1


def test_an_expired_response_is_removed() -> None:
    """It takes no space."""
    cache = ResponseCache(10)
    cache.put("1a", response(b"old"), seconds=EXPIRED)
    cache.put("1b", response(b"young"), seconds=1000)
    assert cache.get("1a") is None
    assert cache.get("1b") == response(b"young")
    assert len(cache) == 1


def test_the_least_recently_used_response_is_removed_first() -> None:
    """Reading counts as use."""
    cache = ResponseCache(2)
    cache.put("1a", response(b"one"))
    cache.put("1b", response(b"two"))
    assert cache.get("1a") == response(b"one")
    cache.put("1c", response(b"three"))
    assert cache.get("1b") is None
    assert cache.get("1a") == response(b"one")
    assert cache.get("1c") == response(b"three")


def test_writing_again_counts_as_use() -> None:
    """A response that is renewed is in demand."""
    cache = ResponseCache(2)
    for key in (b"a", b"b", b"a", b"c"):
        cache.put(f"1{key.decode()}", response(key))
    assert cache.get("1b") is None
    assert cache.get("1a") == response(b"a")


def test_a_cache_without_entries_stores_nothing() -> None:
    """CACHE_ENTRIES=0 turns the cache off."""
    cache = ResponseCache(0)
    cache.put("1a", response(b"one"))
    assert cache.get("1a") is None
    assert len(cache) == 0


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_the_cache_contains_only_the_most_recently_used_entries(
    entries: int, steps: list[tuple[bool, int]]
) -> None:
    """Entries may be written and read in any order."""
    cache = ResponseCache(entries)
    used: list[int] = []
    for is_put, number in steps:
        key = bytes([number])
        address = key.decode()
        if is_put:
            cache.put(address, response(key))
        else:
            assert cache.get(address) == (response(key) if number in used else None)
        if is_put or number in used:
            used = [*(other for other in used if other != number), number][-entries:]
        assert len(cache) == len(used)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5000)), max_size=60))
def test_the_cache_never_exceeds_its_limit_in_bytes(steps: list[tuple[int, int]]) -> None:
    """A response that is above the limit alone is not stored at all."""
    limit = 3 * (SLOT_BYTES + 1000)
    cache = ResponseCache(100, limit)
    for place, size in steps:
        address = f"{place:08}"
        cache.put(address, response(b"x" * size))
        assert cache.bytes <= limit
        assert (cache.get(address) is not None) == (size + 8 + SLOT_BYTES <= limit)
    remaining = [cached for place in range(10) if (cached := cache.get(f"{place:08}"))]
    sizes = [len(cached.body) + 8 + SLOT_BYTES for cached in remaining]
    assert cache.bytes == sum(sizes)
