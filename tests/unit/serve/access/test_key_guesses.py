"""Tests of the limits on wrong keys."""

from __future__ import annotations

import pytest

from serve.api.access.key_guesses import (
    ALL_GUESS_BURST,
    GUESS_BURST,
    NO_KEY,
    KeyGuesses,
    Verdict,
)
from serve.api.access.rate_limit import TooManyRequests

RIGHT = Verdict(may_read=True, may_write=False, owner="key 1")


def guess(guesses: KeyGuesses, client: str, number: int) -> None:
    """Send a wrong key, as one that has not been sent before."""
    digest = str(number).encode()
    assert guesses.find(client, digest) is None
    guesses.add(client, digest, NO_KEY)


def test_a_client_may_send_some_wrong_keys_and_must_then_wait() -> None:
    """Other clients need not."""
    guesses = KeyGuesses()
    for number in range(GUESS_BURST):
        guess(guesses, "a", number)
    with pytest.raises(TooManyRequests, match="try again in 36 s") as caught:
        guesses.find("a", b"another")
    assert caught.value.problem.status == 429
    assert guesses.find("b", b"another") is None


def test_a_program_that_goes_on_sending_an_old_key_locks_nobody_out() -> None:
    """The same key again is no new guess."""
    guesses = KeyGuesses()
    guess(guesses, "a", 1)
    for _ in range(10 * GUESS_BURST):
        assert guesses.find("a", b"1") == NO_KEY
    assert guesses.find("a", b"another") is None


def test_a_right_key_goes_on_working_beside_one_who_guesses() -> None:
    """They may stand behind the same address."""
    guesses = KeyGuesses()
    guesses.add("a", b"right", RIGHT)
    for number in range(GUESS_BURST):
        guess(guesses, "a", number)
    assert guesses.find("a", b"right") == RIGHT


def test_many_clients_together_may_not_guess_faster() -> None:
    """One who guesses may have many addresses."""
    guesses = KeyGuesses()
    for number in range(ALL_GUESS_BURST):
        guess(guesses, f"client {number}", number)
    with pytest.raises(TooManyRequests):
        guesses.find("one more", b"another")


def test_wrong_keys_do_not_make_right_ones_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """One who guesses from many addresses would lock out all who are known."""
    monkeypatch.setattr("serve.api.access.key_guesses.MOST_VERDICTS", 10)
    guesses = KeyGuesses()
    guesses.add("a", b"right", RIGHT)
    for number in range(ALL_GUESS_BURST):
        guess(guesses, f"client {number}", number)
    assert guesses.find("a", b"right") == RIGHT
