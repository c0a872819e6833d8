"""Tests of the time limits for the arrival of a request."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from waitress.adjustments import Adjustments

from serve.server.waitress_channel import IDLE_SECONDS, REQUEST_SECONDS, Channel

START = 1000.0
HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


class Connection:
    """A connection whose incoming bytes and clock a test controls."""

    def __init__(self, sock: socket.socket) -> None:
        self.now = START
        server = SimpleNamespace(active_channels={}, add_task=lambda _channel: None)
        self.channel = Channel(server, sock, ("127.0.0.1", 1), Adjustments(), map={})

    def receive(self, data: bytes, after_seconds: float = 0.0) -> None:
        """Receive bytes after a delay."""
        self.now += after_seconds
        self.channel.received(data)

    def is_too_slow(self, after_seconds: float = 0.0) -> bool:
        """Return True if the channel finds the client too slow after a delay."""
        self.now += after_seconds
        return self.channel.is_too_slow(self.now)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Yield a connection whose clock a test controls."""
    client, server_end = socket.socketpair()
    with client, server_end:
        clock = SimpleNamespace(monotonic=lambda: START)
        monkeypatch.setattr("serve.server.waitress_channel.time", clock)
        fake = Connection(server_end)
        clock.monotonic = lambda: fake.now
        yield fake


def test_an_idle_connection_is_closed_after_its_idle_time(connection: Connection) -> None:
    """Clients keep connections open for later requests, but not for ever."""
    assert not connection.is_too_slow(IDLE_SECONDS - 1)
    assert connection.is_too_slow(2)


def test_a_complete_request_is_not_too_slow(connection: Connection) -> None:
    """The time until its answer does not count."""
    connection.receive(HEAD)
    connection.receive(b"\r\n", REQUEST_SECONDS - 1)
    assert not connection.is_too_slow(10 * REQUEST_SECONDS)


def test_a_request_that_stays_incomplete_is_too_slow(connection: Connection) -> None:
    """Other clients need its connection."""
    connection.receive(HEAD)
    assert not connection.is_too_slow(REQUEST_SECONDS - 1)
    assert connection.is_too_slow(2)


def test_single_bytes_do_not_extend_the_time_of_a_request(connection: Connection) -> None:
    """The time runs from its first byte."""
    for byte in HEAD[:12]:
        connection.receive(bytes([byte]), 2)
    assert connection.is_too_slow()


def test_each_request_has_its_own_time(connection: Connection) -> None:
    """A connection may be used for hours."""
    for _ in range(5):
        connection.receive(HEAD, REQUEST_SECONDS)
        connection.receive(b"\r\n", REQUEST_SECONDS - 1)
        assert not connection.is_too_slow()


def test_a_pipelined_request_has_its_own_time(connection: Connection) -> None:
    """A client that sends requests without a pause is not slow."""
    connection.receive(HEAD)
    for _ in range(2 * int(REQUEST_SECONDS)):
        connection.receive(b"\r\n" + HEAD, 1)
        assert not connection.is_too_slow()
