"""Tests of the limits on slow clients: on what they send, and on what they leave unread."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest
from waitress.adjustments import Adjustments

from serve.server.waitress.channel import REQUEST_SECONDS, Channel, beyond_limit
from serve.server.waitress.dispatcher import UNREAD_BYTES, Dispatcher
from serve.server.waitress.event_loop import EventLoop

START = 1000.0
KEEP_ALIVE_SECONDS = 90.0
HEAD = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


def make_server(**more: object) -> SimpleNamespace:
    """Return a server that has no loop of its own, and knows no plain requests."""
    return SimpleNamespace(
        active_channels={},
        busy_channels=set(),
        event_loop=EventLoop(),
        is_draining=False,
        task_dispatcher=Dispatcher(lambda *_: False),
        plain_turn=SimpleNamespace(take=lambda *_: False),
        **more,
    )


class Connection:
    """A connection whose incoming bytes and clock a test controls."""

    def __init__(self, sock: socket.socket) -> None:
        self.now = START
        server = make_server(add_task=lambda _channel: None, keep_alive_seconds=KEEP_ALIVE_SECONDS)
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
        monkeypatch.setattr("serve.server.waitress.channel.time", clock)
        fake = Connection(server_end)
        clock.monotonic = lambda: fake.now
        yield fake


def test_an_idle_connection_is_closed_after_its_idle_time(connection: Connection) -> None:
    """Clients keep connections open for later requests, but not for ever."""
    assert not connection.is_too_slow(KEEP_ALIVE_SECONDS - 1)
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


def pipelining(answer_bytes: int, count: int) -> tuple[Channel, socket.socket, list[int]]:
    """Return a channel that has received many requests, its client, and the requests served.

    Each is answered as soon as the channel asks for it.
    """
    client, server_end = socket.socketpair()
    served: list[int] = []
    server = make_server(pull_trigger=lambda: None)
    channel = Channel(server, server_end, ("127.0.0.1", 1), Adjustments(), map={})

    def serve(task: Channel) -> None:
        served.append(1)
        task.write_soon(b"x" * answer_bytes)
        task.requests.pop(0)
        if task.requests:
            server.add_task(task)

    dispatcher = Dispatcher(lambda *_: False)
    # What comes after the dispatcher has decided not to hold the request.
    server.add_task = lambda task: hold_or(dispatcher, task, serve) if task.requests else None
    channel.received((HEAD + b"\r\n") * count)
    return channel, client, served


def hold_or(dispatcher: Dispatcher, task: Channel, serve: Callable[[Channel], None]) -> None:
    """Ask a dispatcher without threads for an answer."""
    queued = len(dispatcher.queue)
    dispatcher.add_task(task)
    if len(dispatcher.queue) > queued:
        dispatcher.queue.clear()
        serve(task)


def test_a_client_that_pipelines_and_reads_nothing_has_few_answers_in_memory() -> None:
    """Sixteen MiB for each of them were kept, and it was then cut off."""
    answer_bytes = 100_000
    channel, client, served = pipelining(answer_bytes, count=50)
    with client:
        assert UNREAD_BYTES < channel.total_outbufs_len <= UNREAD_BYTES + 2 * answer_bytes
        assert 0 < len(served) < 10
        assert channel.writable()
    channel.close()


def test_a_held_request_is_answered_once_the_client_has_read() -> None:
    """The client gets all its answers, at its own pace."""
    answer_bytes, count = 100_000, 12
    channel, client, served = pipelining(answer_bytes, count)
    with client:
        client.settimeout(0)
        taken = 0
        while taken < answer_bytes * count:
            channel.handle_write()
            with suppress(BlockingIOError):
                taken += len(client.recv(2**20))
    assert len(served) == count
    assert not channel.requests
    channel.close()


def unread(*sizes: int) -> list[Channel]:
    """Return connections with this many unread bytes."""
    return [SimpleNamespace(total_outbufs_len=size) for size in sizes]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("sizes", "cut"), [([5, 5], []), ([5, 9, 1], [9]), ([4, 4, 4, 4], [4, 4]), ([], [])]
)
def test_the_connections_that_keep_most_unread_are_cut(sizes: list[int], cut: list[int]) -> None:
    """As few as let all others keep theirs."""
    found = beyond_limit(unread(*sizes), 10)
    assert [channel.total_outbufs_len for channel in found] == cut


def test_the_loop_turns_away_what_has_waited_too_long_while_no_thread_is_free() -> None:
    """Later requests stay in the queue, for a thread."""
    now = time.monotonic()
    turned_away: list[str] = []
    dispatcher = Dispatcher(lambda *_: False)
    for name, waited in (("first", 9.0), ("second", 6.0), ("third", 1.0)):
        request = SimpleNamespace(queued_at=now - waited)
        request.turn_away = partial(turned_away.append, name)
        dispatcher.queue.append(request)
    dispatcher.turn_away(5.0)
    assert turned_away == ["first", "second"]
    assert len(dispatcher.queue) == 1
