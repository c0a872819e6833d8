"""Tests of the plain requests that come in one turn of waitress's loop."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from serve.api.fast_path import PlainRequest
from serve.server.waitress.event_loop import READ, EventLoop
from serve.server.waitress.plain_turn import PlainTurn

TO_PARSE = b"to parse"


class Responses:
    """Reads all bytes as plain requests, and answers them with themselves."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def read(self, peer: str, data: bytes) -> PlainRequest | None:
        """Return a request whose query is the bytes."""
        return PlainRequest(peer, "/predict", data.decode()) if data else None

    def answer(self, requests: Sequence[PlainRequest]) -> list[bytes | None]:
        """Answer all requests but those that must be parsed."""
        self.sizes.append(len(requests))
        bodies = [request.query.encode() for request in requests]
        return [None if body == TO_PARSE else body for body in bodies]


class Channel:
    """A connection that keeps what is done with it."""

    peer = "192.0.2.1"
    registered_events = READ

    def __init__(self, event_loop: EventLoop, error: Exception | None = None) -> None:
        self.connected = True
        self.socket, self._other_end = socket.socketpair()
        self._error = error
        self.done: list[object] = []
        event_loop.register(self)

    def readable(self) -> bool:
        """Wait for more requests."""
        return True

    def writable(self) -> bool:
        """Have nothing to send."""
        return False

    def send_at_once(self, data: bytes) -> None:
        """Keep what is sent."""
        if self._error:
            raise self._error
        self.done.append(data)

    def parse(self, data: bytes) -> None:
        """Keep what waitress must parse."""
        self.done.append(("parsed", data))

    def handle_close(self) -> None:
        """Keep that it is closed."""
        self.done.append("closed")

    def handle_error(self) -> None:
        """Keep that there was an error."""
        self.done.append("failed")

    def end(self) -> None:
        """Close both ends."""
        self.socket.close()
        self._other_end.close()


@pytest.fixture
def event_loop() -> Iterator[EventLoop]:
    """Yield an event loop."""
    loop = EventLoop()
    yield loop
    loop.close()


def answer_all(event_loop: EventLoop, sent: Sequence[tuple[Any, bytes]]) -> list[int]:
    """Answer what came on channels in one turn; return how many were answered by each call."""
    responses = Responses()
    turn = PlainTurn(responses, event_loop)  # type: ignore[arg-type]
    for channel, data in sent:
        assert turn.take(channel, data)
    assert not any(channel.done for channel, _ in sent)
    turn.answer()
    turn.answer()
    return responses.sizes


def test_all_requests_of_a_turn_are_answered_at_its_end(event_loop: EventLoop) -> None:
    """Each once and on its own connection."""
    channels = [Channel(event_loop) for _ in range(3)]
    sent = [(channel, b"%d" % at) for at, channel in enumerate(channels)]
    assert answer_all(event_loop, sent) == [3, 0]
    assert [channel.done for channel in channels] == [[data] for _, data in sent]
    for channel in channels:
        channel.end()


def test_an_error_on_a_connection_leaves_the_others_alone(event_loop: EventLoop) -> None:
    """One client has gone, one answer fails, one request needs a view, one connection is closed."""
    gone = Channel(event_loop, BrokenPipeError())
    faulty = Channel(event_loop, ValueError())
    special, closed, last = (Channel(event_loop) for _ in range(3))
    closed.connected = False
    channels = [gone, faulty, special, closed, last]
    answer_all(event_loop, [*zip(channels, [b"a", b"b", TO_PARSE, b"c", b"d"], strict=True)])
    assert [channel.done for channel in channels] == [
        ["closed"],
        ["failed"],
        [("parsed", TO_PARSE)],
        [],
        [b"d"],
    ]
    for channel in channels:
        channel.end()


def test_bytes_that_are_no_plain_request_are_not_taken(event_loop: EventLoop) -> None:
    """Waitress then parses them at once."""
    channel: Any = Channel(event_loop)
    assert not PlainTurn(Responses(), event_loop).take(channel, b"")  # type: ignore[arg-type]
    channel.end()
