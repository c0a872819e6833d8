"""Fixtures that run the real server on a trained store."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import func, select

from db.store import tables
from db.store.store import Store, connect_store
from tests.conftest import ROOT, Done, command_environment, run_words, settings_for
from tests.extent import FULL
from tests.processes import PATIENCE_SECONDS, children_of, wait_for
from tests.warm.command import WarmProcess, may_be_warm, start_warm

API_KEY = "a-key-of-the-tests"
# Requests may wait on a busy machine; only tests of overload have requests turned away.
QUEUE_SECONDS = f"{PATIENCE_SECONDS:.0f}"

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """A response of the server."""

    status: int
    headers: Message
    body: bytes

    @property
    def content_type(self) -> str:
        """Return the media type without its parameters."""
        return self.headers.get_content_type()

    def json(self) -> Any:  # noqa: ANN401
        """Return the body as JSON; raises ValueError."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A running server and its store."""

    port: int
    url: str
    store: Store
    log: Path
    process: subprocess.Popen[bytes] | WarmProcess

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request as a client library does."""
        return ask(self.port, target, method=method, body=body, headers=headers)

    def get(self, target: str, **headers: str) -> Reply:
        """Send a GET request; write header names with underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", target, headers=named)

    def post(self, target: str, items: object, key: str | None = None) -> Reply:
        """Post a value as JSON, with an API key if given."""
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return self.ask("POST", target, json.dumps(items).encode(), headers)

    def predict(self, sentence: str) -> Any:  # noqa: ANN401
        """Return the prediction for a sentence."""
        reply = self.get(f"/predict/intents?{query(sentence=sentence)}")
        assert reply.status == 200, reply.body
        return reply.json()

    def send(self, request: bytes, method: str = "GET") -> Reply:
        """Send bytes that a client library would refuse or clean up."""
        with self.connect() as connection:
            connection.sendall(request)
            return receive(connection, method)

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the process and to its child processes."""
        for pid in (self.process.pid, *children_of(self.process.pid)):
            os.kill(pid, number)

    def record_count(self) -> int:
        """Return how many records the store holds."""
        with self.store.reading() as connection:
            return connection.execute(select(func.count()).select_from(tables.record)).scalar_one()

    def records(self, **where: object) -> list[Any]:
        """Return the records whose columns have these values."""
        conditions = [tables.record.c[name] == value for name, value in where.items()]
        with self.store.reading() as connection:
            return list(connection.execute(select(tables.record).where(*conditions)))


def ask(
    port: int,
    target: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send a request as a client library does, over a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, target, body, headers or {})
        return read_reply(connection.getresponse())
    finally:
        connection.close()


def run_in(folder: Path, url: str, *arguments: str) -> Done:
    """Run a command in a folder, as a user does who works there."""
    return run_words(arguments, command_environment(url, PYTHONPATH=str(ROOT)), folder)


def query(**parameters: object) -> str:
    """Return a query string, percent-encoded."""
    return urlencode({name: str(value) for name, value in parameters.items()}, quote_via=quote)


def get_request(target: bytes) -> bytes:
    """Return the bytes of a GET request; the target is not encoded."""
    return b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def post_request(target: str, body: bytes) -> bytes:
    """Return the bytes of a POST request with an API key."""
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Authorization: Bearer {API_KEY}\r\n\r\n".encode() + body


def receive(connection: socket.socket, method: str = "GET") -> Reply:
    """Read one response from a connection."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        return read_reply(response)
    finally:
        response.close()


def read_reply(response: http.client.HTTPResponse) -> Reply:
    """Read a response to its end."""
    return Reply(response.status, response.headers, response.read())


def until(condition: Callable[[], T]) -> T:
    """Wait until a condition is true, and return its value; fail after a timeout."""
    return wait_for(condition, lambda: "this never came true", look_seconds=0.05)


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(url: str, log: Path, ready: str = "/readyz", **environment: str) -> Iterator[Site]:
    """Run the server for the block; SIGTERM must then end it with exit code 0."""
    settings = {"PORT": str(free_port()), "API_KEYS": f"another-key,{API_KEY}"}
    settings |= {"QUEUE_SECONDS": QUEUE_SECONDS, **environment}
    with log.open("wb") as out:
        process = _start(
            command_environment(url, **settings), out, is_warm=may_be_warm(environment)
        )
    site = Site(int(settings["PORT"]), url, connect_store(settings_for(url)), log, process)
    try:
        until(lambda: _answers(site, ready))
        yield site
    finally:
        site.store.close()
        code = _end(process)
    assert code == 0, log.read_text()


def _start(
    environment: Mapping[str, str], out: IO[bytes], *, is_warm: bool
) -> subprocess.Popen[bytes] | WarmProcess:
    """Start the server; its imports are done, except in the long form."""
    if is_warm and not FULL:
        return start_warm(["serve"], environment, ROOT, out, out)
    command = [sys.executable, "-m", "serve"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)


def _answers(site: Site, path: str) -> bool:
    assert site.process.poll() is None, site.log.read_text()
    try:
        return site.get(path).status == 200
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes] | WarmProcess) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def serving_copy(trained: Path, folder: Path, **environment: str) -> Iterator[Site]:
    """Run the server on a copy of the trained store."""
    folder.mkdir(exist_ok=True)
    for file in trained.parent.glob(f"{trained.name}*"):
        shutil.copy(file, folder / file.name)
    url = f"sqlite:///{folder / trained.name}"
    with serving(url, folder / "log.txt", **environment) as site:
        yield site


@pytest.fixture(scope="module")
def site(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server on its own store, shared by the tests of a module."""
    with serving_copy(trained, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def own_site(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server for one test that changes the store or the process."""
    with serving_copy(trained, tmp_path / "own") as running:
        yield running
