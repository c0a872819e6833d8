"""Tests of how heads of requests are read, and refused where servers could differ."""

from __future__ import annotations

import pytest
from waitress.adjustments import Adjustments

from serve.api.access.body_limit import PLAIN, BodyLimit
from serve.api.wsgi import Environ
from serve.server.waitress.request import RequestParser, refusal_words

MIB = 2**20
HOST = b"Host: a\r\n"


def parse(data: bytes, most_bytes: int = 1000) -> RequestParser:
    """Return the parser that has received a request."""
    parser = RequestParser(Adjustments(max_request_body_size=most_bytes))
    parser.received(data)
    return parser


def get(target: bytes, headers: bytes = HOST, version: bytes = b"HTTP/1.1") -> bytes:
    """Return a GET request."""
    return b"GET " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def post(headers: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    """Return the head of a POST request."""
    return b"POST / " + version + b"\r\n" + HOST + headers + b"\r\n"


def test_raw_utf8_in_an_address_means_what_it_shows() -> None:
    """Command lines and old libraries send what a user types."""
    parser = parse(get("/é?town=Orléans&q=%C3%A9".encode()))
    assert not parser.error
    assert (parser.path, parser.query) == ("/Ã©", "town=Orl%C3%A9ans&q=%C3%A9")


REFUSED = {
    "bytes that are not UTF-8": get(b"/?town=Orl\xe9ans"),
    "no Host": get(b"/", b""),
    "an empty Host": get(b"/", b"Host:\r\n"),
    "two Hosts": get(b"/", HOST + b"host: b\r\n"),
    "two Hosts in HTTP/1.0": get(b"/", HOST + HOST, b"HTTP/1.0"),
    "HTTP/2": get(b"/", version=b"HTTP/2.0"),
    "a folded header": get(b"/", HOST + b"X-A: b\r\n c\r\n"),
    "a folded first header": get(b"/", b" Host: a\r\n"),
    "a bare LF": get(b"/", b"Host: a\nX-A: b\r\n"),
    "a bare CR": get(b"/", HOST + b"X-A: b\rc\r\n"),
    "a NUL": get(b"/", HOST + b"X-A: b\0c\r\n"),
    "a space before the colon": get(b"/", HOST + b"X-A : b\r\n"),
    "a length and chunks": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    "chunks in HTTP/1.0": post(b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0"),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 2\r\n"),
    "a length with a sign": post(b"Content-Length: +2\r\n"),
    "a method in small letters": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_head_that_servers_could_read_differently_is_refused(data: bytes) -> None:
    """A proxy before us could take the rest of one request for another client's."""
    parser = parse(data)
    assert parser.completed
    assert parser.error.code == 400


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_an_ordinary_request_is_read(version: bytes) -> None:
    """With one Host; HTTP/1.0 needs none."""
    assert not parse(get(b"/livez", version=version)).error
    assert not parse(get(b"/livez", b"", b"HTTP/1.0")).error


def test_a_body_that_is_too_large_is_not_asked_for() -> None:
    """A client that expects 100 Continue would send all of it."""
    parser = parse(post(b"Expect: 100-continue\r\nContent-Length: 1000\r\n"))
    assert parser.error.code == 413
    assert not parser.expect_continue


@pytest.mark.parametrize(
    ("status", "words", "told"),
    [
        (413, "exceeds max_body of 9", "send fewer bytes"),
        (400, 'Bare CR or LF found in header line "Authorization: Bearer x"', "end lines with"),
        (400, "Invalid chunk size", "Invalid chunk size"),
    ],
)
def test_a_client_is_told_what_is_wrong_without_its_own_headers(
    status: int, words: str, told: str
) -> None:
    """A header may hold a key."""
    found = refusal_words(status, words, "send fewer bytes", 3000)
    assert told in found
    assert "Bearer" not in found


def test_a_body_that_there_is_none_of_is_not_asked_for() -> None:
    """The server would wait for it, and take the next request for a part of this one."""
    parser = parse(get(b"/", HOST + b"Expect: 100-continue\r\n"))
    assert parser.completed
    assert not parser.expect_continue


def test_a_large_body_may_come_where_the_application_takes_files() -> None:
    """It is asked once the head is there, and the limit holds for this request alone."""
    asked = []

    class Channel:
        def find_body_limit(self, environ: Environ) -> BodyLimit:
            asked.append(environ)
            return BodyLimit(5 * MIB, "too large") if environ["PATH_INFO"] == "/add" else PLAIN

    adjustments = Adjustments(max_request_body_size=PLAIN.most_bytes + 1)
    for path, length, status in (
        (b"/add", 4 * MIB, None),
        (b"/add", 6 * MIB, 413),
        (b"/else", 4 * MIB, 413),
    ):
        parser = RequestParser(adjustments)
        parser.channel = Channel()
        head = b"POST %s HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nContent-Length: %d\r\n\r\n"
        parser.received(head % (path, length))
        assert getattr(parser.error, "code", None) == status
        assert parser.is_upload == (path == b"/add")
    assert adjustments.max_request_body_size == PLAIN.most_bytes + 1
    assert asked[0]["HTTP_COOKIE"] == "b=c"
