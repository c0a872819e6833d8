"""Tests of plain requests on waitress: their bytes are read as its parser reads them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from serve.api.fast_path import PlainRequest
from serve.api.plain_requests import PlainAnswer
from serve.prediction.cache import CachedResponse
from serve.server.waitress.plain_response import PlainResponses
from serve.server.waitress.request import RequestParser

PEER, CLIENT = "192.0.2.1", "192.0.2.1"
LINES = b"Host: localhost\r\nAccept: */*\r\n\r\n"
BODY = b'{"prediction":"a"}'
REQUEST = PlainRequest(CLIENT, "/predict/intents", "a=b")
# Characters that mean something in an address, in a first line, or in neither.
TARGETS = st.text("/predict?&=%20+#:@[]a\tÿ .;~-\r\n\"'<>\x00{}|\\^`", max_size=40)


class Requests:
    """Plain requests that know one head."""

    def __init__(self) -> None:
        self.constant_headers = {"teacher": [("Content-Type", "application/json")]}
        self.has_answer = True

    def find_client(self, head: object) -> str | None:
        """Return the one client that is known."""
        return CLIENT if head == (PEER, LINES) else None

    def answer(self, requests: Sequence[PlainRequest]) -> list[PlainAnswer | None]:
        """Answer every request alike."""
        response = CachedResponse(BODY, '"tag"', 1, "a", "teacher", "a")
        return [PlainAnswer(response, "id-1") if self.has_answer else None for _ in requests]


def responses(*, has_answer: bool = True) -> PlainResponses:
    """Return what reads and answers plain requests, of which one head is known."""
    requests = Requests()
    requests.has_answer = has_answer
    return PlainResponses(requests)  # type: ignore[arg-type]


def parse(data: bytes) -> RequestParser:
    """Return the request that waitress makes of these bytes."""
    parser = RequestParser(Adjustments())
    assert parser.received(data) == len(data)
    return parser


@given(TARGETS)
@example("/predict?a=b")
@example("/predict/intents?sentence=un+h%C3%B4tel&x=[1]")
@example("/predict/intents?a=b#c")
@example("//predict?a=b")
@example("/predict/%69ntents?a=b")
@example("/predict/intents?a=b HTTP/1.0\r\nX: y")
def test_a_plain_request_is_understood_as_waitress_understands_it(target: str) -> None:
    """Or it is left to waitress."""
    data = f"GET {target} HTTP/1.1\r\n".encode("latin-1") + LINES
    request = responses().read(PEER, data)
    if request is not None:
        parser = parse(data)
        assert not parser.error
        assert request == PlainRequest(CLIENT, parser.path, parser.query)


@pytest.mark.parametrize(
    "data",
    [
        b"POST /predict/intents?a=b HTTP/1.1\r\n" + LINES,
        b"HEAD /predict/intents?a=b HTTP/1.1\r\n" + LINES,
        b"GET /predict/intents?a=b HTTP/1.0\r\n" + LINES,
        b"GET /predicted?a=b HTTP/1.1\r\n" + LINES,
        b"GET /predict/intents?a=b HTTP/1.1\n" + LINES,
        b"\r\nGET /predict/intents?a=b HTTP/1.1\r\n" + LINES,
        b"GET /predict/intents?a=b HTTP/1.1\r\n" + LINES[:-2],
        b"GET /predict/intents?a=b HTTP/1.1\r\n" + LINES + b"GET ",
        b"GET /predict/intents?a=b HTTP/1.1\r\nContent-Length: 1\r\n" + LINES + b"x",
        b"GET /predict/intents?a=b HTTP/1.1\r\n" + LINES.lower(),
    ],
)
def test_everything_else_is_left_to_waitress(data: bytes) -> None:
    """Another method, version or head, half a request, and more than one."""
    assert responses().read(PEER, data) is None


def test_the_head_of_one_address_is_not_known_of_another() -> None:
    """Another address may be another client, or no proxy that is believed."""
    data = b"GET /predict/intents?a=b HTTP/1.1\r\n" + LINES
    assert responses().read("192.0.2.2", data) is None


def test_the_response_is_whole() -> None:
    """With the length of its body, its time, tag and id, and the headers of all answers."""
    response = next(responses().answer([REQUEST]))
    assert response is not None
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert (status, body) == ("HTTP/1.1 200 OK", BODY)
    assert headers.pop("Date").endswith(" GMT")
    assert headers == {
        "Content-Type": "application/json",
        "Content-Length": str(len(BODY)),
        "ETag": '"tag"',
        "X-Request-Id": "id-1",
    }


def test_a_request_that_must_wait_is_left_to_waitress() -> None:
    """For a view, or for a thread that reads a store on another machine."""
    assert list(responses(has_answer=False).answer([REQUEST])) == [None]
