"""Tests of the server where file descriptors run out."""

from __future__ import annotations

import errno
import logging
import resource
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from waitress.server import TcpWSGIServer

from serve.server.descriptor_limit import most_connections, raise_descriptor_limit
from serve.server.waitress import server as waitress_server
from serve.server.waitress.server import Server


def limit_to(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Set the limit of open files that the server finds."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)


@pytest.mark.parametrize(
    ("limit", "connections"),
    [(300, 100), (40, 10), (20_000, 10_000), (resource.RLIM_INFINITY, 10_000)],
)
def test_connections_leave_descriptors_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, limit: int, connections: int
) -> None:
    """The store, bodies and logs need some."""
    limit_to(monkeypatch, limit)
    assert most_connections() == connections


def test_a_low_limit_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients that wait would otherwise be the only sign."""
    limit_to(monkeypatch, 300)
    with caplog.at_level(logging.WARNING):
        raise_descriptor_limit()
    assert "ulimit -n" in caplog.text
    assert "100 connections" in caplog.text


def raising(error: OSError) -> Callable[..., None]:
    """Return a function that raises an error."""

    def fail(_: object) -> None:
        raise error

    return fail


def test_without_a_descriptor_the_loop_pauses_instead_of_spinning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection stays in the kernel, so that the listener is readable all the time."""
    now = [100.0]
    monkeypatch.setattr(waitress_server, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(TcpWSGIServer, "accept", raising(OSError(errno.EMFILE, "too many files")))
    monkeypatch.setattr(TcpWSGIServer, "readable", lambda _: True)
    server = Server.__new__(Server)
    server._accepts_from = 0.0
    assert server.readable()
    assert server.accept() is None
    assert not server.readable()
    now[0] += 1
    assert server.readable()
