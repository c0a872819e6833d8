"""The errors of the store's drivers, and what they tell; SQLAlchemy's have the driver's as `orig`.

What is here works without SQLAlchemy, for its errors too.
"""

from __future__ import annotations

import sqlite3
import sys

_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_BUSY_RECOVERY}


class DriverError(Exception):
    """The driver's error `orig`, where a statement is run without SQLAlchemy."""

    def __init__(self, orig: Exception) -> None:
        super().__init__(str(orig))
        self.orig = orig


class ValuesRefused(DriverError):
    """The values of a statement are at fault, and not the store or a connection."""


def store_errors() -> tuple[type[Exception], ...]:
    """Return the classes of all errors of the store; no error is SQLAlchemy's until it is imported.

    For `except`, which calls it only once there is an error.
    """
    # None also while another thread imports it.
    of_sqlalchemy = getattr(sys.modules.get("sqlalchemy.exc"), "SQLAlchemyError", None)
    return (DriverError,) if of_sqlalchemy is None else (DriverError, of_sqlalchemy)


def driver_error(error: Exception) -> Exception:
    """Return the driver's error if there is one, otherwise the error itself."""
    orig = getattr(error, "orig", None)
    return orig if isinstance(orig, Exception) else error


def error_name(error: Exception) -> str:
    """Return what a log may tell of an error: its text may have values that people asked."""
    return type(driver_error(error)).__name__


def is_transient(error: Exception) -> bool:
    """Return whether the same transaction is likely to succeed if it is run again at once."""
    # PostgreSQL ended it because of a deadlock or a serialization failure. SQLite does not give
    # its lock to writers in the order in which they asked, so one of many may time out.
    return _sqlite_code(error) in _SQLITE_BUSY or sqlstate(error) in {"40P01", "40001"}


def is_lock_timeout(error: Exception) -> bool:
    """Return whether a statement waited for a lock for longer than it may."""
    return _sqlite_code(error) in _SQLITE_BUSY or sqlstate(error) == "55P03"


def is_timeout(error: Exception) -> bool:
    """Return whether PostgreSQL, or a connection to it, took longer than its limit."""
    # SQLSTATE 57014: a statement; 55P03: a lock.
    return sqlstate(error) in {"57014", "55P03"}


def is_locked(error: Exception) -> bool:
    """Return whether a statement was given up, as a rule because another one holds a lock."""
    # An extended code has its primary code in its last byte.
    return is_timeout(error) or _sqlite_code(error) & 0xFF == sqlite3.SQLITE_BUSY


def is_refusal(error: Exception) -> bool:
    """Return whether an error is about the values, and not about the store or a connection.

    The driver raises ValueError and the like for what it cannot send.
    """
    return isinstance(error, ValuesRefused | ValueError | TypeError | OverflowError)


def condemns_connection(error: Exception) -> bool:
    """Return whether an error tells that the sessions of this time are of no use any longer.

    SQLSTATE 25006: the server has become a standby, which only reads; 57P: it shuts down or has
    crashed; 08: the connection is lost.
    """
    state = sqlstate(error)
    return state == "25006" or state[:2] == "08" or state[:3] == "57P"


def sqlstate(error: Exception) -> str:
    """Return PostgreSQL's code of an error, "" if there is none."""
    return getattr(driver_error(error), "sqlstate", None) or ""


def _sqlite_code(error: Exception) -> int:
    return getattr(driver_error(error), "sqlite_errorcode", 0)
