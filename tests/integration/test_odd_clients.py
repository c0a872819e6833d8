"""Clients that send a byte at a time, pipeline many requests, or disconnect midway."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from serve.server.waitress.channel import REQUEST_SECONDS

from .conftest import API_KEY, Site, get_request, post_request, query, receive, until
from .test_overload import LARGE_FILE, PREDICT, connected, get_bytes

ROUNDS = 5
SLOW_CLIENTS = 40
# Larger than one write or read, so that a body arrives in several pieces.
MANY_ITEMS = json.dumps([{"sentence": f"quai {item}"} for item in range(1_000)]).encode()
BATCH = post_request("/predict/intents", b'[{"sentence": "un octet apres l\'autre"}, {}]')


def test_a_request_that_comes_byte_by_byte_is_answered(site: Site) -> None:
    """Head and body may both come slowly; other requests are answered between two bytes."""
    # On a busy machine these would take so long that the server cuts the slow requests.
    until_then = time.monotonic() + REQUEST_SECONDS / 2
    single = get_request(f"/predict/intents?{query(sentence='octet')}".encode())
    length = max(len(single), len(BATCH))
    with connected(site, 2) as (getting, posting), site.connect() as other:
        for connection in (getting, posting):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(length):
            getting.sendall(single[at : at + 1])
            posting.sendall(BATCH[at : at + 1])
            if time.monotonic() < until_then:
                other.sendall(get_bytes(PREDICT))
                assert receive(other).status == 200
        assert receive(getting).json()["dataset"] == "intents"
        answers = receive(posting, "POST").json()
    assert [answer.get("status", 200) for answer in answers] == [200, 400]


def test_many_slow_requests_do_not_block_others(site: Site) -> None:
    """Slow requests wait for their bytes without a thread, and are answered once complete."""
    begun = get_bytes(PREDICT)[:-2]
    with connected(site, SLOW_CLIENTS) as slow:
        for connection in slow:
            connection.sendall(begun)
        for _ in range(SLOW_CLIENTS):
            assert site.get(PREDICT).status == 200
        for connection in slow:
            connection.sendall(b"\r\n")
        assert {receive(connection).status for connection in slow} == {200}


def pipelined(number: int) -> tuple[bytes, str, int]:
    """Return a request with an id, its method and its expected status; `number` sets its kind."""
    fresh = f"/predict/intents?{query(sentence=f'en file {number}')}"
    batch = json.dumps([{"sentence": f"en lot {number}"}]).encode()
    kinds = [
        (get_bytes(PREDICT), "GET", 200),
        (get_bytes("/livez"), "GET", 200),
        (get_bytes(fresh), "GET", 200),
        (get_bytes("/predict/intents?colour=red"), "GET", 400),
        (post_request("/predict/intents", batch), "POST", 200),
        (get_bytes("/nothing"), "GET", 404),
        (get_bytes("/readyz").replace(b"GET", b"HEAD"), "HEAD", 200),
        (post_request("/predict/intents", b"[{"), "POST", 400),
        (get_bytes(LARGE_FILE), "GET", 200),
        (post_request("/records/intents", b"[]").replace(API_KEY.encode(), b"x"), "POST", 401),
        (get_bytes("/predict").replace(b"GET", b"PUT"), "PUT", 405),
    ]
    request, method, status = kinds[number % len(kinds)]
    named = b"\r\nX-Request-Id: odd-%d\r\n" % number
    return request.replace(b"\r\n", named, 1), method, status


def answers_in_turn(connection: socket.socket, methods: list[str]) -> list[tuple[int, str]]:
    """Read one response per method from a connection; return their statuses and ids."""
    found = []
    with connection.makefile("rb") as stream:
        for method in methods:
            status = int(stream.readline().split()[1])
            headers = http.client.parse_headers(stream)
            length = 0 if method == "HEAD" else int(headers["Content-Length"])
            assert len(stream.read(length)) == length
            found.append((status, headers["X-Request-Id"]))
    return found


@pytest.mark.parametrize("half_closed", [False, True])
def test_a_mix_of_pipelined_requests_is_answered_in_order(site: Site, *, half_closed: bool) -> None:
    """All are sent in one piece, also by a client that closes its sending side afterwards."""
    wanted = [pipelined(number) for number in range(110)]
    with site.connect() as connection:
        sender = threading.Thread(
            target=connection.sendall, args=[b"".join(request for request, _, _ in wanted)]
        )
        sender.start()
        if half_closed:
            sender.join()
            connection.shutdown(socket.SHUT_WR)
        answers = answers_in_turn(connection, [method for _, method, _ in wanted])
        sender.join()
    named = [(status, f"odd-{number}") for number, (_, _, status) in enumerate(wanted)]
    assert answers == named


def reset(connection: socket.socket) -> None:
    """Reset the connection as a crashed client does: waiting data on both sides is dropped."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


LEAVES: dict[str, Callable[[socket.socket], None]] = {
    "at once": lambda _connection: None,
    "in the head": lambda connection: connection.sendall(get_bytes(PREDICT)[:-5]),
    "in the body": lambda connection: connection.sendall(
        post_request("/predict/intents", MANY_ITEMS)[:-5_000]
    ),
    "before the answer": lambda connection: connection.sendall(get_bytes(PREDICT)),
    "before many answers": lambda connection: connection.sendall(
        post_request("/predict/intents", MANY_ITEMS)
    ),
    "in the answer": lambda connection: _read_some(connection, get_bytes(LARGE_FILE)),
    "in the file": lambda connection: _read_some(connection, get_bytes(LARGE_FILE) * 5),
    "while pipelining": lambda connection: connection.sendall(get_bytes(PREDICT) * 100),
    "in a query of a megabyte": lambda connection: _send_what_is_taken(
        connection, get_request(b"/predict/intents?sentence=" + b"a" * 2**20)
    ),
}


def _read_some(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    assert connection.recv(100)


def _send_what_is_taken(connection: socket.socket, request: bytes) -> None:
    with suppress(ConnectionError):
        connection.sendall(request)


@pytest.mark.parametrize("how", LEAVES)
def test_a_client_that_resets_its_connection_does_not_disturb_others(site: Site, how: str) -> None:
    """The reset may come at any point, and the log shows no traceback."""
    logged = len(site.log.read_bytes())
    with site.connect() as other:
        for _ in range(ROUNDS):
            connection = site.connect()
            LEAVES[how](connection)
            reset(connection)
            other.sendall(get_bytes(PREDICT))
            assert receive(other).status == 200
    assert site.get("/livez").status == 200
    assert b"Traceback" not in site.log.read_bytes()[logged:]
    assert site.process.poll() is None


def threads(site: Site) -> int:
    """Return how many threads the server has."""
    return len(list(Path(f"/proc/{site.process.pid}/task").iterdir()))


def open_descriptors(site: Site) -> int:
    """Count the server's open descriptors, except the store's: each thread opens that once."""
    links = []
    for descriptor in Path(f"/proc/{site.process.pid}/fd").iterdir():
        with suppress(OSError):
            links.append(descriptor.readlink().name)
    return sum(not link.startswith("store.db") for link in links)


def visit(site: Site) -> None:
    """Open connections of every kind at once; close half of them and reset the others."""
    with ExitStack() as stack:
        for number, leave in enumerate([*LEAVES.values()] * ROUNDS):
            connection = stack.enter_context(site.connect())
            leave(connection)
            if number % 2:
                reset(connection)
    assert site.get(PREDICT).status == 200


def test_odd_clients_leave_neither_threads_nor_descriptors_behind(own_site: Site) -> None:
    """Neither the number of clients nor the way they disconnect matters."""
    before = threads(own_site), open_descriptors(own_site)
    for _ in range(ROUNDS):
        visit(own_site)
    until(lambda: open_descriptors(own_site) <= before[1])
    until(lambda: threads(own_site) <= before[0])
    assert "Traceback" not in own_site.log.read_text()
