"""Overload, slow clients and odd clients: all others are still answered."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import Reply, Site, get_request, post_request, query, receive, serving_copy, until

PIPELINED = 200
IDLE = 1_000
# More clients than threads that answer.
CLIENTS = 8
LARGE_FILE = "/docs/swagger-ui-bundle.js"
PREDICT = f"/predict/intents?{query(sentence='je cherche un vol pour Lisbonne')}"
INCOMPLETE = [
    b"GET /livez HT",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /predict/intents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n[",
]


def get_bytes(target: str) -> bytes:
    """Return the bytes of a GET request that keeps the connection open."""
    return f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def connected(site: Site, count: int) -> Iterator[list[socket.socket]]:
    """Keep this many connections open until the block ends."""
    with ExitStack() as stack:
        yield [stack.enter_context(site.connect()) for _ in range(count)]


@pytest.fixture
def narrow(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server with one thread and a very short limit for waiting requests."""
    settings = {"WEB_THREADS": "1", "QUEUE_SECONDS": "0.05"}
    with serving_copy(trained, tmp_path / "narrow", **settings) as running:
        yield running


def rush(site: Site, number: int) -> list[Reply]:
    """Send large batches, then single predictions behind them; return all replies."""
    with connected(site, CLIENTS) as heavy, connected(site, CLIENTS) as light:
        for index, connection in enumerate(heavy):
            items = [{"sentence": f"rue {number} {index} {item}"} for item in range(1_000)]
            connection.sendall(post_request("/predict/intents", json.dumps(items).encode()))
        for connection in light:
            connection.sendall(get_bytes(PREDICT))
        many = [receive(connection, "POST") for connection in heavy]
        return many + [receive(connection) for connection in light]


def figures(site: Site) -> dict[tuple[str, str], float]:
    """Return the sums of /metrics by name and status, or none if the request is refused."""
    found: dict[tuple[str, str], float] = {}
    reply = site.get("/metrics")
    for family in text_string_to_metric_families(reply.body.decode() * (reply.status == 200)):
        for sample in family.samples:
            key = sample.name, sample.labels.get("status", "")
            found[key] = found.get(key, 0.0) + sample.value
    return found


def refused_of(replies: list[Reply]) -> list[Reply]:
    """Return the replies that turn a request away."""
    return [reply for reply in replies if reply.status == 503]


def test_a_request_that_waited_too_long_is_turned_away(narrow: Site) -> None:
    """It gets 503 at once instead of an answer that may come too late, and is counted."""
    replies: list[Reply] = []

    def refused() -> list[Reply]:
        replies.extend(rush(narrow, len(replies)))
        return refused_of(replies)

    for reply in until(refused):
        assert reply.content_type == "application/problem+json"
        assert reply.json()["status"] == 503
        assert int(reply.headers["Retry-After"]) > 0
        assert reply.headers["X-Request-Id"]
    assert {reply.status for reply in replies} <= {200, 503}
    totals = until(lambda: figures(narrow))
    assert totals["veilleuse_shed_total", ""] >= len(refused_of(replies))
    assert totals["veilleuse_shed_total", ""] == totals["veilleuse_requests_total", "503"]


def test_after_a_rush_requests_are_answered_again(narrow: Site) -> None:
    """Refused requests leave nothing behind."""
    rush(narrow, 0)
    until(lambda: narrow.get(PREDICT).status == 200)


def is_cut(connection: socket.socket) -> bool:
    """Send one more byte; return whether the server has closed the connection."""
    connection.settimeout(0.01)
    try:
        connection.sendall(b"a")
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.slow
def test_requests_that_come_too_slowly_are_cut(site: Site) -> None:
    """A byte now and then does not keep a connection; others are answered meanwhile."""
    with connected(site, len(INCOMPLETE)) as slow, site.connect() as idle:
        for connection, begun in zip(slow, INCOMPLETE, strict=True):
            connection.sendall(begun)
        cut: set[int] = set()

        def all_cut() -> bool:
            assert site.get(PREDICT).status == 200
            cut.update(n for n, sock in enumerate(slow) if n not in cut and is_cut(sock))
            return len(cut) == len(slow)

        assert not all_cut()
        until(all_cut)
        # A connection without a started request may stay idle.
        idle.sendall(get_bytes("/livez"))
        assert receive(idle).status == 200


def test_a_request_on_a_half_closed_connection_is_answered(site: Site) -> None:
    """A client may close its sending side once its request is sent."""
    for _ in range(20):
        with site.connect() as connection:
            connection.sendall(get_bytes(PREDICT))
            connection.shutdown(socket.SHUT_WR)
            reply = receive(connection)
            assert reply.status == 200
            assert reply.json()["dataset"] == "intents"


def test_many_predictions_on_a_half_closed_connection_are_answered(site: Site) -> None:
    """The answer may take a while."""
    items = [{"sentence": f"avenue {item}"} for item in range(1_000)]
    with site.connect() as connection:
        connection.sendall(post_request("/predict/intents", json.dumps(items).encode()))
        connection.shutdown(socket.SHUT_WR)
        reply = receive(connection, "POST")
    assert reply.status == 200
    assert len(reply.json()) == len(items)


def request_ids(connection: socket.socket, count: int) -> list[str]:
    """Read this many responses from a connection; return the ids of their requests."""
    ids: list[str] = []
    with connection.makefile("rb") as answers:
        while len(ids) < count:
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            lines = iter(answers.readline, b"\r\n")
            headers = dict(line.decode().rstrip().split(": ", 1) for line in lines)
            length = int(headers["Content-Length"])
            assert len(answers.read(length)) == length > 0
            ids.append(headers["X-Request-Id"])
    return ids


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """The requests come in one piece; some of their answers are cached."""
    sent = [f"request-{number}" for number in range(PIPELINED)]
    targets = [PREDICT, "/livez", "/"]
    requests = [
        f"GET {targets[number % 3]} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {name}\r\n\r\n"
        for number, name in enumerate(sent)
    ]
    with site.connect() as connection:
        connection.sendall("".join(requests).encode())
        assert request_ids(connection, PIPELINED) == sent


def test_a_query_of_a_megabyte_is_refused(site: Site) -> None:
    """The status gives the reason, and other clients do not notice."""
    with site.connect() as other, site.connect() as connection:
        with suppress(ConnectionError):
            # The server may close the connection before it has read everything.
            connection.sendall(get_request(b"/predict/intents?sentence=" + b"a" * 2**20))
        assert receive(connection).status == 431
        other.sendall(get_bytes(PREDICT))
        assert receive(other).status == 200
    assert site.process.poll() is None


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    """Let this process open as many connections as a test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
def test_idle_connections_do_not_block_others(site: Site) -> None:
    """Each of them can still be used."""
    with connected(site, IDLE) as idle:
        assert site.get(PREDICT).status == 200
        for connection in idle[:: IDLE // 10]:
            connection.sendall(get_bytes("/livez"))
            assert receive(connection).status == 200


@contextmanager
def not_reading(site: Site, requests: int) -> Iterator[list[socket.socket]]:
    """Yield clients that have requested a large file this many times and read nothing."""
    with connected(site, CLIENTS) as clients:
        for connection in clients:
            connection.sendall(get_bytes(LARGE_FILE) * requests)
        yield clients


def test_clients_that_do_not_read_their_answers_do_not_block_others(site: Site) -> None:
    """They can still read their answers later."""
    with not_reading(site, 3) as clients:
        for _ in range(CLIENTS):
            assert site.get(PREDICT).status == 200
        for client in clients:
            assert len(set(request_ids(client, 3))) == 3


def test_clients_that_pipeline_and_read_nothing_do_not_block_others(own_site: Site) -> None:
    """It does not matter how much of their answers waits for them."""
    with not_reading(own_site, 40), own_site.connect() as other:
        for _ in range(100):
            other.sendall(get_bytes(PREDICT))
            assert receive(other).status == 200
            time.sleep(0.02)
