"""A real HTTP server that misbehaves as a test requires, and records every request."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

# No test waits this long: closing the server ends every stall.
FOREVER_SECONDS = 600.0


@dataclass(frozen=True)
class Call:
    """One request as it arrived; header names are in lower case, `at` is monotonic seconds."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]


class BadServer:
    """The recorded calls, and the behaviour planned for each route; safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._plans: dict[str, tuple[Behaviour, ...]] = {}
        self._seen: Counter[str] = Counter()
        self.closing = threading.Event()
        self.url = ""

    def on(self, route: str, *behaviours: Behaviour) -> str:
        """Answer the route's calls with these in turn, then always the last; return its URL."""
        with self._lock:
            self._plans[route] = behaviours
            self._seen[route] = 0
        return self.url + route

    def meet(self, call: Call) -> Behaviour:
        """Record the call and return the behaviour that answers it."""
        with self._lock:
            self._calls.append(call)
            plan = self._plans.get(call.route, (echoes(),))
            turn = min(self._seen[call.route], len(plan) - 1)
            self._seen[call.route] += 1
            return plan[turn]

    @property
    def calls(self) -> list[Call]:
        """All requests so far, in the order of their arrival."""
        with self._lock:
            return list(self._calls)

    def counts(self) -> Counter[tuple[str, str, bytes]]:
        """Return the number of requests for each method, path and body."""
        return Counter((call.method, call.path, call.body) for call in self.calls)

    def most_within(self, seconds: float) -> int:
        """Return the highest number of requests in any period of this length."""
        times = sorted(call.at for call in self.calls)
        return max(
            (sum(start <= time < start + seconds for time in times) for start in times), default=0
        )


class Handler(BaseHTTPRequestHandler):
    """The handler of one connection."""

    protocol_version = "HTTP/1.1"
    bad: BadServer

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.call = Call(self.command, self.path, self.rfile.read(length), headers)
        self.bad.meet(self.call)(self)

    do_POST = do_GET  # noqa: N815  the base class's way to name methods
    do_PUT = do_GET  # noqa: N815
    do_PATCH = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""

    def head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers."""
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a complete answer."""
        self.head(status, len(body), headers)
        self.wfile.write(body)

    def drip(self, data: bytes, pause_seconds: float) -> None:
        """Send a byte at a time until the client or the server closes the connection."""
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.bad.closing.wait(pause_seconds):
                return

    def hang_up(self) -> None:
        """Close the connection at once."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


Behaviour: TypeAlias = Callable[[Handler], None]


def sends(
    body: bytes, status: int = 200, media_type: str = "application/json", **headers: str
) -> Behaviour:
    """Answer with these bytes; headers are named with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.whole(status, body, {"Content-Type": media_type, **named})


def answers(value: object, status: int = 200, **headers: str) -> Behaviour:
    """Answer with a value as JSON."""
    return sends(json.dumps(value).encode(), status, **headers)


def fails(status: int = 500, **headers: str) -> Behaviour:
    """Answer with an error."""
    return answers({"error": f"status {status}"}, status, **headers)


def asks_for_pause(seconds: float, status: int = 429) -> Behaviour:
    """Answer with a Retry-After in seconds."""
    return fails(status, Retry_After=str(int(seconds)))


def asks_for_pause_until(seconds: float, status: int = 429) -> Behaviour:
    """Answer with a Retry-After that is a date, this many seconds from now."""

    def behave(handler: Handler) -> None:
        date = formatdate(time.time() + seconds, usegmt=True)
        fails(status, Retry_After=date)(handler)

    return behave


def stalls() -> Behaviour:
    """Send nothing and keep the connection open."""

    def behave(handler: Handler) -> None:
        handler.bad.closing.wait(FOREVER_SECONDS)
        handler.hang_up()

    return behave


def trickles(pause_seconds: float = 0.05) -> Behaviour:
    """Send the body a byte at a time, which takes minutes."""

    def behave(handler: Handler) -> None:
        body = json.dumps("x" * 10_000).encode()
        handler.head(200, len(body), {"Content-Type": "application/json"})
        handler.drip(body, pause_seconds)

    return behave


def trickles_headers(pause_seconds: float = 0.05) -> Behaviour:
    """Send the headers a byte at a time and never reach the body."""
    head = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000
    return lambda handler: handler.drip(head, pause_seconds)


def breaks_off() -> Behaviour:
    """Close the connection in the middle of the answer."""

    def behave(handler: Handler) -> None:
        handler.head(200, 1000, {"Content-Type": "application/json"})
        handler.wfile.write(b'{"score": ')
        handler.hang_up()

    return behave


def hangs_up() -> Behaviour:
    """Close the connection without an answer."""
    return Handler.hang_up


def echoes() -> Behaviour:
    """Answer with the request itself, including its headers."""

    def behave(handler: Handler) -> None:
        call = handler.call
        asked = {
            "method": call.method,
            "path": call.path,
            "body": call.body.decode(),
            "headers": dict(call.headers),
        }
        handler.whole(200, json.dumps(asked).encode(), {"Content-Type": "application/json"})

    return behave


class _Server(ThreadingHTTPServer):
    # Connections that are opened at the same time wait instead of being refused.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing, because many tests close the client's connection on purpose."""


@contextmanager
def bad_server() -> Iterator[BadServer]:
    """Run a server on a free port until the end of the block."""
    bad = BadServer()
    server = _Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"bad": bad}))
    bad.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield bad
    finally:
        bad.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
