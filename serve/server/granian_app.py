"""The WSGI application on granian's own interface (RSGI), which lets bodies come without a thread.

Under WSGI, granian's thread waits for a body without end, and no other can make it give up.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from serve.api.access.body_limit import PLAIN, BodyLimit
from serve.api.fast_path import PlainRequest, is_prediction
from serve.api.middleware import RequestMiddleware
from serve.api.wsgi import CACHED, HEAD, WAITED, Environ, Headers
from serve.prediction.cache import CachedResponse

from .granian_plain_turn import PlainTurn
from .waitress.request import ONLY_CHUNKED, host_fault

HOLDS_BODIES = "the most that SERVER=granian holds; use SERVER=waitress for larger files"
_REPLACEMENT = "\ufffd"
_NAMED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Scope(Protocol):
    """A request without its body."""

    method: str
    path: str
    query_string: str
    scheme: str
    client: str
    server: str
    http_version: str
    headers: Any


class Exchange(Protocol):
    """The body of a request, and the way back."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces of the body."""
        ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a response."""
        ...


class UnreadRequest(Exception):
    """A request that is refused unread, with its status and the words for the client."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class BodyReader:
    """Reads bodies within a size and a time, and no more bytes at once than a limit.

    A body counts until `release`: bodies that wait for a thread take memory as well. A file that
    may be larger than other bodies may take longer to come too.
    """

    def __init__(self, seconds: float, upload_seconds: float, all_bytes: int) -> None:
        self._seconds = seconds
        self._upload_seconds = upload_seconds
        self._all_bytes = all_bytes
        self._held_bytes = 0

    async def read(self, exchange: Exchange, length: int | None, limit: BodyLimit = PLAIN) -> bytes:
        """Return a body of a length, None if its chunks do not say it; raises UnreadRequest."""
        limit = limit.lowered(self._all_bytes, HOLDS_BODIES)
        if length is not None and length > limit.most_bytes:
            raise UnreadRequest(413, limit.words)
        body = bytearray()
        is_upload = limit.most_bytes > PLAIN.most_bytes
        seconds = self._upload_seconds if is_upload else self._seconds
        try:
            async with asyncio.timeout(seconds):
                await self._gather(exchange, body, limit)
            _check_whole(len(body), length)
        except BaseException as error:
            self.release(len(body))
            if isinstance(error, TimeoutError):
                raise UnreadRequest(408, f"the body did not come within {seconds:g} s") from None
            raise
        return bytes(body)

    def release(self, size: int) -> None:
        """Stop counting a body of this size: its request has been answered."""
        self._held_bytes -= size

    async def _gather(self, exchange: Exchange, body: bytearray, limit: BodyLimit) -> None:
        # A client may send each byte as a chunk of its own.
        async for piece in exchange:
            body += piece
            self._held_bytes += len(piece)
            if len(body) > limit.most_bytes:
                raise UnreadRequest(413, limit.words)
            if self._held_bytes > self._all_bytes:
                raise UnreadRequest(503, "too many bodies are on their way; try again in 5 s")


def _check_whole(size: int, length: int | None) -> None:
    if length is not None and size != length:
        raise UnreadRequest(400, f"the body ended after {size:,} of {length:,} bytes")


class GranianApp:
    """Answers quick requests in the event loop, and all others on a fixed number of threads."""

    def __init__(self, app: RequestMiddleware, reader: BodyReader, threads: int) -> None:
        self._app = app
        self._reader = reader
        self._plain_turn = PlainTurn(app.plain_requests)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer a request."""
        head = head_of(scope)
        request = self._read_plain(head, scope)
        if request is None or not await self._plain_turn.answer(request, exchange):
            await self._answer(head, scope, exchange)

    def _read_plain(self, head: Hashable, scope: Scope) -> PlainRequest | None:
        """Return a plain request whose head is known."""
        client = self._app.plain_requests.find_client(head)
        if client is None:
            return None
        path, query = scope.path, scope.query_string
        if not (is_prediction(path) and path.isascii() and query.isascii()):
            return None
        return PlainRequest(client, path, query)

    async def _answer(self, head: Hashable, scope: Scope, exchange: Exchange) -> None:
        size = 0
        try:
            environ = make_environ(scope)
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                size = await self._read_body(environ, exchange)
            elif scope.method == "GET":
                environ[HEAD] = head
        except UnreadRequest as refused:
            answer = self._app.refuse(refused.status, refused.words)
            # What is left of the body must not be read as the next request.
            headers = [*answer.headers, ("Connection", "close")]
            exchange.response_bytes(refused.status, headers, answer.body)
            return
        try:
            response = await self._respond(scope, environ)
        finally:
            self._reader.release(size)
        exchange.response_bytes(response.status, response.headers, response.body)

    async def _respond(self, scope: Scope, environ: Environ) -> Response:
        response = Response()
        immediate = self._app.find_immediate(scope.method, environ["PATH_INFO"], scope.query_string)
        if immediate:
            if isinstance(immediate, CachedResponse):
                environ[CACHED] = immediate
            response.run(self._app, environ)
        else:
            loop, queued_at = asyncio.get_running_loop(), time.monotonic()
            await loop.run_in_executor(self._threads, response.run, self._app, environ, queued_at)
        return response

    async def _read_body(self, environ: Environ, exchange: Exchange) -> int:
        """Put the body of a request into its environ, and return its size in bytes."""
        is_chunked = environ.pop("HTTP_TRANSFER_ENCODING", None) is not None
        length = None if is_chunked else int(environ["CONTENT_LENGTH"])
        limit = PLAIN
        if length is not None and length > PLAIN.most_bytes:
            limit = self._app.find_body_limit(dict(environ))
        body = await self._reader.read(exchange, length, limit)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return len(body)


class Response:
    """What the application answers."""

    status = 500
    headers: Headers
    body = b""

    def run(self, app: RequestMiddleware, environ: Environ, queued_at: float = 0.0) -> None:
        """Let the application answer a request that has waited for a thread since then."""
        if queued_at:
            environ[WAITED] = time.monotonic() - queued_at
        pieces = app(environ, self._start)
        self.body = b"" if environ["REQUEST_METHOD"] == "HEAD" else b"".join(pieces)

    def _start(self, status: str, headers: Headers, *_: object) -> Callable[[bytes], None]:
        self.status, self.headers = int(status[:3]), headers
        return self._write

    def _write(self, _data: bytes) -> None:
        raise NotImplementedError("responses are returned, not written")


def head_of(scope: Scope) -> Hashable:
    """Return all of a request that its client usually repeats."""
    peer = scope.client.rpartition(":")[0]
    return scope.method, peer, scope.http_version, tuple(scope.headers.items())


def make_environ(scope: Scope) -> Environ:
    """Return the WSGI environment of a request; raises UnreadRequest as waitress refuses it."""
    if _REPLACEMENT in scope.path:
        raise UnreadRequest(400, "the path is not UTF-8")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": "",
        "SERVER_PORT": scope.server.rpartition(":")[2],
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" not in name:
            key = _NAMED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
            environ[key] = f"{environ[key]}, {value}" if key in environ else value
    _check_head(environ)
    return environ


def _check_head(environ: Environ) -> None:
    method: str = environ["REQUEST_METHOD"]
    if not method.isupper():
        raise UnreadRequest(400, f'Malformed HTTP method "{method}"')
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise UnreadRequest(501, ONLY_CHUNKED)
    length = environ.get("CONTENT_LENGTH", "0")
    if not (length.isascii() and length.isdigit()):
        raise UnreadRequest(400, "Content-Length is not one whole number")
    version = environ["SERVER_PROTOCOL"].removeprefix("HTTP/")
    # With Content-Length and Transfer-Encoding, granian closes the connection after the answer.
    fault = host_fault(environ.get("HTTP_HOST", ""), version)
    if fault:
        raise UnreadRequest(400, fault)
