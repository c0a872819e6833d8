"""Tests of how the room for unseen inputs is shared among clients."""

from __future__ import annotations

from serve.prediction.client_shares import MOST_CLIENTS, ClientShares


def add(shares: ClientShares, client: str, count: int) -> int:
    """Add inputs of a client; return how many it may add."""
    return sum(shares.admits(1, client) for _ in range(count))


def test_one_client_cannot_take_the_room_of_all() -> None:
    """It gets its share, and others get what is left; refusals are counted."""
    shares = ClientShares(most_waiting=100, share=0.5, processes=1)
    assert add(shares, "greedy", 1_000) == 50
    assert shares.refused == 950
    assert add(shares, "another", 30) == 30
    assert add(shares, "greedy", 1) == 0


def test_a_client_alone_goes_on_while_workers_keep_up() -> None:
    """However many inputs it adds in a day."""
    shares = ClientShares(most_waiting=100, share=0.5, processes=1)
    for _ in range(100):
        assert add(shares, "busy", 40) == 40
        shares.set_waiting(1, 5)
    assert shares.refused == 0


def test_a_client_may_go_on_when_workers_have_made_room() -> None:
    """Its number shrinks with that of the inputs that wait."""
    shares = ClientShares(most_waiting=100, share=0.5, processes=1)
    add(shares, "greedy", 100)
    assert shares.contested() == [1]
    shares.set_waiting(1, 10)
    assert shares.contested() == []
    assert add(shares, "greedy", 100) == 40


def test_a_client_that_asks_all_processes_gets_its_share_once() -> None:
    """The store says how many wait, whichever process has added them."""
    first, second = (ClientShares(100, 0.5, processes=2) for _ in range(2))
    assert add(first, "greedy", 25) == 25
    second.set_waiting(1, 25)
    assert add(second, "greedy", 25) == 25
    first.set_waiting(1, 50)
    assert add(first, "greedy", 1) == add(second, "greedy", 1) == 0
    assert add(first, "another", 10) == 10


def test_datasets_have_room_of_their_own() -> None:
    """A full one does not close the others."""
    shares = ClientShares(10, 0.5, processes=1)
    add(shares, "greedy", 100)
    assert shares.admits(2, "greedy")


def test_many_clients_take_bounded_memory() -> None:
    """Those that have added least are forgotten."""
    shares = ClientShares(10**9, 0.5, processes=1)
    for number in range(2 * MOST_CLIENTS):
        shares.admits(1, f"{number}")
    assert len(shares._added[1]) <= MOST_CLIENTS
