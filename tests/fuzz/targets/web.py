"""Requests to the web process: its address, headers, cookies and body."""

from __future__ import annotations

import io
import logging
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from db.migrations import upgrade
from db.settings import load_settings
from db.store.store import connect_store
from serve.api.middleware import RequestMiddleware
from serve.server.web_process import WebProcess
from serve.telemetry.log import BatchedHandler
from tests.fuzz.target import FuzzTarget
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones

KEY = "a-key-of-the-fuzzer"
_HEADER = re.compile(rb"([A-Za-z-]{1,40}): ([^\x00\r\n]*)")


class _RaisingHandler(logging.Handler):
    """Raises what the application would only log: a view, the fast path or a statement failed."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise the message of a log line, unless it is about a wrong key."""
        if "wrong key" not in record.getMessage():
            raise AssertionError(record.getMessage())


class _SilentLog(BatchedHandler):
    """Takes the log lines of requests, millions of which are made."""

    def log_line(self, *_: object, **__: object) -> None:
        """Drop a line."""


@cache
def _app() -> RequestMiddleware:
    """Return the application of a web process with two datasets."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-web-"))
    environ = {
        "DATABASE_URL": f"sqlite:///{folder / 'store.db'}",
        "API_KEYS": KEY,
        "ALLOWED_HOSTS": "*",
        "TRUSTED_PROXIES": "127.0.0.1",
        "BASE_PATH": "/ml",
    }
    settings = load_settings(environ)
    store = connect_store(settings)
    upgrade(store)
    serve_student(store, RENTS, rents())
    serve_student(store, TONES, tones())
    store.close()
    return WebProcess(settings, _SilentLog(settings.log_format), None).app


def _environ(data: bytes) -> dict[str, Any]:
    """Return the environ of a request: its first line, headers, an empty line and the body."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, address = first.partition(b" ")
    path, _, query = address.decode("latin-1").partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method.decode("latin-1") or "GET",
        "PATH_INFO": f"/{path.lstrip('/')}",
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8001",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "HTTP_HOST": "127.0.0.1",
    }
    for match in filter(None, map(_HEADER.fullmatch, lines)):
        name = match[1].decode().upper().replace("-", "_")
        key = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        environ[key] = match[2].decode("latin-1")
    return environ


def _answer(data: bytes) -> str:
    """Return the status of the answer; raises AssertionError for an error of the server."""
    answers: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        answers.append((status, headers))

    log, raising = logging.getLogger("veilleuse.request"), _RaisingHandler(logging.WARNING)
    log.addHandler(raising)
    try:
        body = b"".join(_app()(_environ(data), start))
    finally:
        # Tests in the same process read the log too.
        log.removeHandler(raising)
    status, headers = answers[-1]
    assert not status.startswith("500"), body
    for name, value in headers:
        assert not re.search(r"[\x00-\x1f\x7f]", f"{name}{value}"), (name, value)
    return status


_PATHS = (
    b"/predict?area=40&town=Lyon",
    b"/predict/tones?sentence=bonjour&town=Paris",
    b"/explain/tones?sentence=bonjour&town=Paris",
    b"/predict/rents?flat=A-1",
    b"/records/rents?show=all&after=0&town=Lyon",
    b"/try/tones?sentence=bonjour",
    b"/key?next=/try/tones",
    b"/openapi.json",
    b"/",
)
_HEADERS = (
    b"Accept: text/html\nCookie: veilleuse_session=1.abc; other=1\nIf-None-Match: *",
    b"X-Forwarded-For: 1.2.3.4, ::1\nX-Forwarded-Proto: https\nX-Forwarded-Host: a.example:8443",
    b"Forwarded: for=1.2.3.4;proto=https\nX-Forwarded-Prefix: /ml\nOrigin: http://a.example",
    b"Authorization: Bearer " + KEY.encode() + b"\nX-Request-Id: one",
)
_POSTS = (
    b'POST /predict/rents\nContent-Type: application/json\n\n[{"area": 40, "town": "Lyon"}]',
    b"POST /predict/tones\nContent-Type: text/csv\n\nsentence,town\nbonjour,Lyon\n",
    b'POST /predict/rents?explain=true\n\n[{"area": 1e3, "town": null}]',
    b"POST /key\nContent-Type: application/x-www-form-urlencoded\n\nkey=wrong&next=/",
    b"POST /records/rents\nAuthorization: Bearer "
    + KEY.encode()
    + b'\nIdempotency-Key: one\n\n[{"flat": "A-1", "area": 40, "town": "Lyon"}]',
    b"DELETE /records/rents/00\nAuthorization: Bearer " + KEY.encode(),
)

REQUEST = FuzzTarget(
    "request",
    _answer,
    [*(b"GET " + path + b"\n" + headers for path in _PATHS for headers in _HEADERS), *_POSTS],
)
