"""How long a request may take to come."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from waitress.adjustments import Adjustments

from serve.server.waitress_channel import IDLE_SECONDS, REQUEST_SECONDS, Channel

START = 1000.0
HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


class Line:
    """A connection on which bytes come when a test says so."""

    def __init__(self, sock: socket.socket) -> None:
        self.now = START
        server = SimpleNamespace(active_channels={}, add_task=lambda _channel: None)
        self.channel = Channel(server, sock, ("127.0.0.1", 1), Adjustments(), map={})

    def receive(self, data: bytes, after_seconds: float = 0.0) -> None:
        """Have bytes come after a while."""
        self.now += after_seconds
        self.channel.received(data)

    def is_too_slow(self, after_seconds: float = 0.0) -> bool:
        """Tell whether the channel finds the client too slow, after a while."""
        self.now += after_seconds
        return self.channel.is_too_slow(self.now)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Give a connection whose clock a test sets."""
    client, ours = socket.socketpair()
    with client, ours:
        clock = SimpleNamespace(monotonic=lambda: START)
        monkeypatch.setattr("serve.server.waitress_channel.time", clock)
        made = Line(ours)
        clock.monotonic = lambda: made.now
        yield made


def test_a_connection_on_which_nothing_comes_is_closed_after_its_idle_time(line: Line) -> None:
    """Clients keep connections for later, but not for ever."""
    assert not line.is_too_slow(IDLE_SECONDS - 1)
    assert line.is_too_slow(2)


def test_a_request_that_has_come_is_not_too_slow(line: Line) -> None:
    """However long its answer takes."""
    line.receive(HEAD)
    line.receive(b"\r\n", REQUEST_SECONDS - 1)
    assert not line.is_too_slow(10 * REQUEST_SECONDS)


def test_a_request_of_which_a_part_is_missing_for_too_long_is_too_slow(line: Line) -> None:
    """Its connection is wanted by others."""
    line.receive(HEAD)
    assert not line.is_too_slow(REQUEST_SECONDS - 1)
    assert line.is_too_slow(2)


def test_a_byte_now_and_then_does_not_make_a_request_faster(line: Line) -> None:
    """Its time runs from its first byte."""
    for byte in HEAD[:12]:
        line.receive(bytes([byte]), 2)
    assert line.is_too_slow()


def test_each_request_has_its_own_time(line: Line) -> None:
    """A connection may serve for hours."""
    for _ in range(5):
        line.receive(HEAD, REQUEST_SECONDS)
        line.receive(b"\r\n", REQUEST_SECONDS - 1)
        assert not line.is_too_slow()


def test_a_request_whose_beginning_comes_with_another_s_end_has_its_own_time(line: Line) -> None:
    """A client that pipelines without a pause is not slow."""
    line.receive(HEAD)
    for _ in range(2 * int(REQUEST_SECONDS)):
        line.receive(b"\r\n" + HEAD, 1)
        assert not line.is_too_slow()
