"""Tests of granian's requests: bodies within limits, and heads as waitress takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from serve.api.access.body_limit import BodyLimit
from serve.api.wsgi import Environ, Headers, StartResponse
from serve.server.granian_app import BodyReader, GranianApp, UnreadRequest, make_environ

LIMIT = BodyLimit(100, "too many bytes")


class Body:
    """A body whose pieces come, and that then ends or hangs."""

    def __init__(self, *pieces: bytes, hangs: bool = False) -> None:
        self._pieces = pieces
        self._hangs = hangs
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces."""
        for piece in self._pieces:
            self.given += 1
            yield piece
        if self._hangs:
            await asyncio.Event().wait()


def reader(seconds: float = 30.0, all_bytes: int = 1000) -> BodyReader:
    """Return a reader with small limits."""
    return BodyReader(seconds, seconds, all_bytes)


def read(body: Body, length: int | None, by: BodyReader | None = None) -> bytes:
    """Return a body."""
    return asyncio.run((by or reader()).read(body, length, LIMIT))  # type: ignore[arg-type]


def refused(body: Body, length: int | None, by: BodyReader | None = None) -> int:
    """Return the status with which a body is refused."""
    with pytest.raises(UnreadRequest) as raised:
        read(body, length, by)
    return raised.value.status


def test_a_body_is_read_to_its_end() -> None:
    """In pieces, with or without a length."""
    assert read(Body(b"a", b"bc"), 3) == b"abc"
    assert read(Body(b"a", b"bc"), None) == b"abc"


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    """200 MiB once stood in the memory before they were refused."""
    body = Body(b"x" * 200)
    assert refused(body, 200) == 413
    assert not body.given


def test_a_body_that_does_not_say_its_length_is_read_up_to_the_limit() -> None:
    """The rest may be endless."""
    body = Body(*[b"x" * 60] * 50)
    assert refused(body, None) == 413
    assert body.given == 2


def test_a_body_that_does_not_come_is_given_up() -> None:
    """Four of them once held all threads."""
    assert refused(Body(b"[", hangs=True), 2, reader(seconds=0.01)) == 408


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    """Half a table would be answered as if it were all."""
    assert refused(Body(b"a,b\n1,2\n"), 50) == 400


def test_all_bodies_on_their_way_share_one_limit() -> None:
    """Bodies that were given up or read no longer count."""

    async def read_many() -> list[Any]:
        shared = reader(seconds=0.5, all_bytes=150)
        bodies = [shared.read(Body(b"x" * 60, hangs=True), 100) for _ in range(4)]  # type: ignore[arg-type]
        found = await asyncio.gather(*bodies, return_exceptions=True)
        statuses = [error.status for error in found if isinstance(error, UnreadRequest)]
        return [*sorted(statuses), await shared.read(Body(b"y" * 90), 90)]  # type: ignore[arg-type]

    assert asyncio.run(read_many()) == [408, 408, 503, 503, b"y" * 90]


def test_a_file_may_be_as_large_as_all_bodies_together() -> None:
    """The client is told which server takes larger ones."""
    most = BodyLimit(10**9, "the limit of UPLOAD_MIB").lowered(150, "use waitress")
    assert most == (150, "the body has more than 150 bytes, use waitress")
    assert LIMIT.lowered(150, "use waitress") is LIMIT


def test_a_body_counts_until_its_request_is_answered() -> None:
    """Whole bodies that waited for a thread once filled the memory."""
    shared = reader(all_bytes=150)
    assert read(Body(b"x" * 90), 90, shared)
    assert refused(Body(b"x" * 90), 90, shared) == 503
    shared.release(90)
    assert read(Body(b"x" * 90), 90, shared)


class Echo:
    """An application that answers with the body of the request."""

    plain_requests = SimpleNamespace(find_client=lambda _: None)

    def find_immediate(self, *_: str) -> bool:
        """Leave all requests to the threads."""
        return False

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]


class Answers(Body):
    """A request's body, and what was answered to it."""

    def response_bytes(self, status: int, _headers: Headers, body: bytes) -> None:
        """Keep the answer."""
        self.answer = status, body


def test_requests_one_after_the_other_find_room_for_their_bodies() -> None:
    """Each gives it back."""
    app = GranianApp(Echo(), reader(all_bytes=100), 1)  # type: ignore[arg-type]
    posted = scope(method="POST", headers={"host": "a", "content-length": "90"})
    for _ in range(3):
        answers = Answers(b"x" * 90)
        asyncio.run(app(posted, answers))
        assert answers.answer == (200, b"x" * 90)


def scope(**changes: Any) -> Any:  # noqa: ANN401  of granian's own class
    """Return a request as granian describes it."""
    headers = changes.pop("headers", {"host": "a"})
    given = {
        "method": "GET",
        "path": "/é",
        "query_string": "q=é",
        "scheme": "http",
        "client": "::1:4711",
        "server": "127.0.0.1:8000",
        "http_version": "1.1",
    }
    return SimpleNamespace(**(given | changes), headers=headers)


def test_a_request_reads_as_on_waitress() -> None:
    """Bytes as latin-1, headers by their CGI names, nothing of this process's environment."""
    environ = make_environ(scope(headers={"host": "a", "x-a": "b", "content_type": "c"}))
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/é"
    assert environ["QUERY_STRING"].encode("latin-1").decode() == "q=é"
    assert (environ["REMOTE_ADDR"], environ["HTTP_X_A"]) == ("::1", "b")
    assert "PATH" not in environ
    assert "HTTP_CONTENT_TYPE" not in environ


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"path": "/caf\ufffd"}, 400),
        ({"method": "get"}, 400),
        ({"headers": {}}, 400),
        ({"headers": {"host": "a,b"}}, 400),
        ({"headers": {"host": "a", "content-length": "+2"}}, 400),
        ({"headers": {"host": "a", "transfer-encoding": "gzip, chunked"}}, 501),
    ],
)
def test_a_head_that_waitress_refuses_is_refused(changes: dict[str, Any], status: int) -> None:
    """Promises hold on both servers."""
    with pytest.raises(UnreadRequest) as raised:
        make_environ(scope(**changes))
    assert raised.value.status == status
