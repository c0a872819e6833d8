"""What both servers promise: bodies within limits, unix sockets, and a proxy's path."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT, command_environment
from tests.processes import PATIENCE_SECONDS, children_of

from .conftest import (
    API_KEY,
    Reply,
    Site,
    get_request,
    post_request,
    query,
    read_reply,
    receive,
    serving_copy,
    until,
)

PREDICT = "/predict/intents"
MIB = 2**20
UNFINISHED = 20
HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
# As nginx writes them for `location /ml/`, whether or not it leaves the path in the address.
FORWARDED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "models.example",
    "X-Forwarded-Prefix": "/ml",
}


@pytest.fixture(scope="module", params=["waitress", "granian"])
def both(
    request: pytest.FixtureRequest, trained: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield a site on each server, which listens on every address."""
    folder = tmp_path_factory.mktemp("both")
    with serving_copy(trained, folder, SERVER=request.param, HOST="::") as site:
        yield site


def test_a_body_above_the_limit_is_refused_before_it_is_in_the_memory(both: Site) -> None:
    """With its length, and in chunks that do not say it."""
    before = memory_bytes(both)
    with both.connect() as connection:
        connection.sendall(head(b"Content-Length: %d" % (200 * MIB)))
        refused = receive(connection, "POST")
    assert (refused.status, refused.content_type) == (413, "application/problem+json")
    with both.connect() as connection:
        connection.sendall(head(b"Transfer-Encoding: chunked"))
        chunk = b"%x\r\n%s\r\n" % (MIB, b" " * MIB)
        with suppress(ConnectionError):
            for _ in range(60):
                connection.sendall(chunk)
    assert memory_bytes(both) < before + 20 * MIB


def test_unfinished_bodies_keep_nobody_waiting(both: Site) -> None:
    """There are more of them than threads."""
    with ExitStack() as held:
        for _ in range(UNFINISHED):
            connection = held.enter_context(both.connect())
            connection.sendall(head(b"Content-Length: 1000") + b"[{")
        for _ in range(5):
            assert both.get("/livez").status == 200
            assert both.post(PREDICT, [{"sentence": "bonjour"}]).status == 200


def test_chunks_are_put_together(both: Site) -> None:
    """A client that streams does not know the length."""
    body = json.dumps([{"sentence": "en morceaux"}]).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:5], body[5:]))
    with both.connect() as connection:
        connection.sendall(head(b"Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
        assert receive(connection, "POST").json()[0]["dataset"] == "intents"


def test_a_byte_order_mark_before_json_is_left_out(both: Site) -> None:
    """Some programs begin every file with one."""
    reply = both.send(post_request(PREDICT, b'\xef\xbb\xbf[{"sentence": "a"}]'), "POST")
    assert reply.json()[0]["dataset"] == "intents"


@pytest.mark.parametrize("path", [PREDICT, "/records/intents"])
def test_a_compressed_body_is_refused_with_what_to_send(both: Site, path: str) -> None:
    """It is no broken JSON."""
    request = post_request(path, b"\x1f\x8b\x08").replace(
        b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1
    )
    refused = both.send(request, "POST")
    assert refused.status == 415
    assert "Content-Encoding" in refused.json()["detail"]


def test_raw_utf8_in_an_address_is_understood(both: Site) -> None:
    """The answer is that of the percent-encoded address."""
    raw = both.send(
        get_request(f"{PREDICT}?sentence=un vol pour Orléans".replace(" ", "+").encode())
    )
    encoded = both.get(f"{PREDICT}?{query(sentence='un vol pour Orléans')}")
    assert raw.status == 200
    assert raw.json()["probabilities"] == encoded.json()["probabilities"]


@pytest.mark.parametrize("headers", [b"", b"Host: a\r\nHost: b\r\n"])
def test_a_request_needs_one_host(both: Site, headers: bytes) -> None:
    """A proxy and this server could take different ones."""
    refused = both.send(b"GET /livez HTTP/1.1\r\n" + headers + b"\r\n")
    assert (refused.status, refused.content_type) == (400, "application/problem+json")
    assert refused.headers["X-Request-Id"]


def test_a_request_with_two_lengths_is_the_last_on_its_connection(both: Site) -> None:
    """The bytes after it could be meant as its body or as another request."""
    request = head(b"Content-Length: 5\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n"
    with both.connect() as connection:
        connection.sendall(request + get_request(b"/livez"))
        assert receive(connection, "POST").status == 400
        with suppress(ConnectionError):
            assert connection.recv(100) == b""


@pytest.fixture(params=["waitress", "granian"])
def hidden(request: pytest.FixtureRequest, trained: Path, tmp_path: Path) -> Iterator[HiddenSite]:
    """Yield a server on a unix socket behind a proxy that is trusted."""
    path = tmp_path / "web.sock"
    environment = {
        "HOST": f"unix:{path}",
        "TRUSTED_PROXIES": "unix",
        "READ_KEYS": API_KEY,
        "SERVER": request.param,
    }
    with serving_hidden(trained, environment):
        yield HiddenSite(path)
    assert not path.exists()


def test_a_proxy_shows_the_server_under_a_path(hidden: HiddenSite) -> None:
    """Every link, form, style, script, redirect and address in JSON stays under it."""
    sign_in = hidden.ask("GET", "/records/intents?rows=1", HTML)
    assert sign_in.headers["Location"] == "/ml/key?next=%2Frecords%2Fintents%3Frows%3D1"
    form = {**HTML, "Content-Type": "application/x-www-form-urlencoded"}
    signed_in = hidden.ask("POST", "/key", form, f"key={API_KEY}&next=/try/intents".encode())
    assert signed_in.headers["Location"] == "/ml/try/intents"
    cookie = signed_in.headers["Set-Cookie"]
    assert "Path=/ml;" in cookie
    assert "Secure" in cookie
    with_key = {**HTML, "Cookie": cookie.partition(";")[0]}
    for page in ("/", "/try/intents", "/records/intents?rows=1", "/docs", "/key", "/nothing"):
        check_addresses(hidden.ask("GET", page, with_key))
    assert hidden.ask("GET", "/openapi.json").json()["servers"] == [{"url": "/ml"}]
    listing = hidden.ask("GET", "/records/intents?rows=1&format=json", with_key)
    assert listing.json()["next"].startswith("/ml/records/intents?")
    assert listing.headers["Link"].startswith("</ml/records/intents?")
    overview = hidden.ask("GET", "/", {"Cookie": with_key["Cookie"]}).json()
    assert overview["links"]["docs"] == "/ml/docs"
    assert overview["datasets"]["intents"]["example"].startswith("/ml/predict/intents?")
    # A proxy that leaves the path in the address.
    assert hidden.ask("GET", "/ml/livez").json() == {"status": "ok"}


def check_addresses(page: Reply) -> None:
    """Fail unless each address of a page is under the path, or within the page."""
    found = re.findall(r'(?:href|src|action)="([^"]*)"', page.body.decode())
    assert found
    assert not [address for address in found if not address.startswith(("/ml/", "#"))]


class HiddenSite:
    """A server on a unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """Send a request as a proxy does."""
        connection = http.client.HTTPConnection("inner", timeout=PATIENCE_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self._path))
        try:
            connection.request(method, target, body, FORWARDED | (headers or {}))
            return read_reply(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def serving_hidden(trained: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a server on a unix socket until the block ends, and wait with its own health check."""
    settings = command_environment(f"sqlite:///{trained}", **environment)
    process = subprocess.Popen([sys.executable, "-m", "serve"], cwd=ROOT, env=settings)
    try:
        until(lambda: is_healthy(settings))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


def is_healthy(settings: dict[str, str]) -> bool:
    """Return what a container's health check finds."""
    check = [sys.executable, "-m", "serve.healthcheck"]
    return subprocess.run(check, cwd=ROOT, env=settings, check=False).returncode == 0


def head(length: bytes) -> bytes:
    """Return the head of a POST with headers about its length."""
    return b"POST /predict/intents HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n"


def memory_bytes(site: Site) -> int:
    """Return the resident memory of the server's processes."""
    pids = (site.process.pid, *children_of(site.process.pid))
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)
