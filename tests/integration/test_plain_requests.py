"""Plain requests on both servers: the answers are those of the views, and no header is ignored.

The first request of a client is read in full. Later ones with the same header lines are answered
without that, so each test repeats its request.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ROOT

from .conftest import Reply, Site, query, receive, serving_copy, until

KEY, WRONG_KEY = "a-key-to-read", "another-key-to-read"
SENTENCE = query(sentence="je cherche un hôtel")
PATH = f"/predict/intents?{SENTENCE}"
# What differs from one response to the next.
VARYING = {"date", "x-request-id"}


@pytest.fixture(scope="module", params=["waitress", "granian"])
def both(
    request: pytest.FixtureRequest, trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield a site on each server."""
    folder = tmp_path_factory.mktemp("plain")
    with serving_copy(trained, folder, SERVER=request.param) as site:
        yield site


@pytest.fixture(scope="module", params=["waitress", "granian"])
def closed(
    request: pytest.FixtureRequest, trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield a site on each server that needs a key, and limits the requests of a client."""
    folder = tmp_path_factory.mktemp("closed")
    with serving_copy(trained, folder, SERVER=request.param, READ_KEYS=KEY) as site:
        yield site


def head(target: str, *lines: str, version: str = "1.1") -> bytes:
    """Return the bytes of a GET request with these header lines."""
    return "\r\n".join([f"GET {target} HTTP/{version}", *lines, "", ""]).encode()


def ask_often(site: Site, requests: list[bytes]) -> list[Reply]:
    """Send requests one after the other on one connection."""
    replies = []
    with site.connect() as connection:
        for request in requests:
            connection.sendall(request)
            replies.append(receive(connection))
    return replies


def fixed_headers(reply: Reply) -> dict[str, str]:
    """Return the headers that two answers to the same request share."""
    return {
        name.lower(): value for name, value in reply.headers.items() if name.lower() not in VARYING
    }


def test_every_sentence_of_the_sample_gets_the_answer_of_the_view(both: Site) -> None:
    """Byte for byte, cached or not. The view answers requests with an unusual header."""
    with (ROOT / "datasets" / "intents.csv").open(encoding="utf-8") as file:
        sentences = [row["sentence"] for row in csv.DictReader(file)]
    sentences += [f"{sentence} vraiment {place}" for place, sentence in enumerate(sentences)]
    targets = [f"/predict/intents?{query(sentence=sentence)}" for sentence in sentences]
    plain = ask_often(both, [head(target, "Host: localhost") for target in targets])
    by_view = ["Host: localhost", "Origin: https://app.example"]
    viewed = ask_often(both, [head(target, *by_view) for target in targets])
    assert [reply.status for reply in plain] == [200] * len(targets)
    assert [reply.body for reply in plain] == [reply.body for reply in viewed]


def test_a_repeated_head_gets_the_headers_of_its_first_request(both: Site) -> None:
    """Caches and browsers see no difference, and each answer has an id and a date of its own."""
    first, second, third = ask_often(both, [head(PATH, "Host: localhost", "Accept: */*")] * 3)
    assert fixed_headers(first) == fixed_headers(second) == fixed_headers(third)
    assert first.body == second.body == third.body
    assert len({reply.headers["X-Request-Id"] for reply in (first, second, third)}) == 3
    assert all(re.fullmatch(r"\w{3}, .* GMT", reply.headers["Date"]) for reply in (first, second))


def test_a_header_that_was_not_there_before_is_obeyed(both: Site) -> None:
    """After requests without it have been answered the short way."""
    plain = head(PATH, "Host: localhost")
    known = ask_often(both, [plain] * 2)[1]
    tag = known.headers["ETag"]
    named, other_host, unchanged = ask_often(
        both,
        [
            head(PATH, "Host: localhost", "X-Request-Id: mine-1"),
            head(PATH, "Host: elsewhere.example"),
            head(PATH, "Host: localhost", f"If-None-Match: {tag}"),
        ],
    )
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert named.headers["X-Request-Id"] == "mine-1"
    assert other_host.status == 421


def test_a_name_for_a_request_is_never_used_for_another(both: Site) -> None:
    """A client that names all its requests alike gets that name back each time."""
    replies = ask_often(both, [head(PATH, "Host: localhost", "X-Request-Id: same")] * 3)
    assert [reply.headers["X-Request-Id"] for reply in replies] == ["same"] * 3


def test_a_client_that_asks_to_close_the_connection_is_obeyed(both: Site) -> None:
    """Also the second time, on another connection."""
    for _ in range(2):
        with both.connect() as connection:
            connection.sendall(head(PATH, "Host: localhost", "Connection: close"))
            assert receive(connection).status == 200
            assert connection.recv(1) == b""


def test_a_bad_query_with_a_known_head_gets_its_problem(both: Site) -> None:
    """And a wrong path, a missing field and a query without an end."""
    wrong = {
        "/predict/intents?colour=red": 400,
        "/predict/intents?sentence=%FF": 400,
        "/predict/intents?sentence=a&sentence=b": 400,
        "/predict/nothing?sentence=a": 404,
        "/predict/intents?": 400,
        f"/predict/intents?sentence={'x' * 9000}": 400,
    }
    targets = [PATH, PATH, *wrong]
    replies = ask_often(both, [head(target, "Host: localhost") for target in targets])
    assert [reply.status for reply in replies] == [200, 200, *wrong.values()]
    assert all(reply.content_type == "application/problem+json" for reply in replies[2:])


def test_requests_that_come_together_or_in_pieces_are_answered_in_turn(both: Site) -> None:
    """Bytes need not come as they were sent."""
    sentences = ["bonjour", "un vol pour Rome", "il me faut une chambre"]
    targets = [f"/predict/intents?{query(sentence=sentence)}" for sentence in sentences]
    heads = [head(target, "Host: localhost") for target in targets]
    single = [reply.body for reply in ask_often(both, heads)]
    with both.connect() as connection:
        connection.sendall(b"".join(heads))
        file = connection.makefile("rb")
        assert [read_body(file) for _ in heads] == single
        for byte in heads[0]:
            connection.sendall(bytes([byte]))
        assert read_body(file) == single[0]
        connection.sendall(heads[1] + heads[2][:20])
        assert read_body(file) == single[1]
        connection.sendall(heads[2][20:])
        assert read_body(file) == single[2]


def test_requests_of_many_connections_at_once_are_answered_each_on_its_own(both: Site) -> None:
    """Repeated and new, with errors between them, and with one client that has gone."""
    sentences = [f"il me faut {number} chambres" for number in range(40)]
    targets = [f"/predict/intents?{query(sentence=sentence)}" for sentence in sentences]
    targets[7] = "/predict/intents?colour=red"
    heads = [head(target, "Host: localhost", "Accept: a/b") for target in targets]
    ask_often(both, heads[:20])
    with ExitStack() as stack:
        connections = [stack.enter_context(both.connect()) for _ in heads]
        for connection, request in zip(connections, heads, strict=True):
            connection.sendall(request)
        connections[11].close()
        replies = [receive(one) for at, one in enumerate(connections) if at != 11]
    again = ask_often(both, heads[:11] + heads[12:])
    assert [reply.status for reply in replies].count(200) == 38
    assert [reply.body for reply in replies] == [reply.body for reply in again]


def read_body(file: object) -> bytes:
    """Read one response from a connection's file, and return its body."""
    length = 0
    while (line := file.readline()) != b"\r\n":  # type: ignore[attr-defined]
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body: bytes = file.read(length)  # type: ignore[attr-defined]
    return body


def test_a_key_is_needed_with_every_request(closed: Site) -> None:
    """A head that was answered with a key does not open the door for one without."""
    with_key, without, wrong = (
        head(PATH, "Host: localhost", *line)
        for line in ([f"Authorization: Bearer {KEY}"], [], [f"Authorization: Bearer {WRONG_KEY}"])
    )
    requests = [with_key, with_key, without, wrong, with_key, without]
    statuses = [reply.status for reply in ask_often(closed, requests)]
    assert statuses == [200, 200, 401, 401, 200, 401]


@pytest.mark.parametrize("server", ["waitress", "granian"])
def test_a_client_cannot_exceed_its_limit_by_repeating_a_head(
    trained: Path, tmp_path: Path, server: str
) -> None:
    """CLIENT_REQUESTS counts every request."""
    with serving_copy(trained, tmp_path, SERVER=server, CLIENT_REQUESTS="1") as site:
        replies = ask_often(site, [head(PATH, "Host: localhost")] * 60)
    assert 429 in {reply.status for reply in replies}


def test_plain_requests_are_counted_and_logged_like_all_others(both: Site) -> None:
    """Otherwise most of the traffic would be missing from metrics and log."""
    before = answered(both)
    replies = ask_often(both, [head(PATH, "Host: localhost", "Accept: text/plain")] * 5)
    assert until(lambda: answered(both) == before + 5 or None)
    ids = [reply.headers["X-Request-Id"] for reply in replies]
    lines = until(lambda: logged(both, ids))
    assert all("GET /predict/intents 200 " in line for line in lines)


def answered(site: Site) -> int:
    """Return how many requests for predictions the metrics count."""
    pattern = r'^veilleuse_requests_total\{.*route="/predict/<name>".*\} (\S+)$'
    metrics = site.get("/metrics").body.decode()
    return sum(int(float(count)) for count in re.findall(pattern, metrics, re.MULTILINE))


def logged(site: Site, ids: list[str]) -> list[str]:
    """Return the log lines of requests, none until all are there."""
    lines = site.log.read_text("utf-8").splitlines()
    found = [line for line in lines if any(line.endswith(request_id) for request_id in ids)]
    return found if len(found) == len(ids) else []
