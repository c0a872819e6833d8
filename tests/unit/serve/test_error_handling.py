"""Tests of what clients are told when the store does not do what a request asks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from bottle import HTTPResponse, request
from psycopg.errors import ConnectionFailure, LockNotAvailable
from sqlalchemy.exc import OperationalError

from serve.api.error_handling import handle_errors


def locked_error(path: Path) -> sqlite3.OperationalError:
    """Return the error of SQLite for a store that another connection is writing to."""
    holder = sqlite3.connect(path, isolation_level=None)
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as raised:
        other.execute("BEGIN IMMEDIATE")
    other.close()
    holder.close()
    return raised.value


def told(error: object) -> HTTPResponse:
    """Return the response to a request in which the store raises an error."""

    def view() -> HTTPResponse:
        raise OperationalError("UPDATE", {}, error)  # type: ignore[arg-type]

    request.bind({"REQUEST_METHOD": "POST"})
    return handle_errors(view)()


def test_a_write_that_waited_too_long_for_a_lock_is_said_to_have(tmp_path: Path) -> None:
    """The store can be reached: who reads otherwise looks for a fault of the network."""
    for error in (locked_error(tmp_path / "a.db"), LockNotAvailable()):
        response = told(error)
        assert response.status_code == 503
        assert b"locked" in response.body
        assert b"nothing was changed" in response.body
        assert b"reached" not in response.body


def test_a_store_that_is_lost_may_have_written() -> None:
    """Nobody knows what a connection that broke has done."""
    response = told(ConnectionFailure())
    assert response.status_code == 503
    assert b"the store cannot be reached" in response.body
    assert b"nothing was changed" not in response.body
