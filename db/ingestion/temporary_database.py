"""Temporary databases for what one import has to remember, in flat memory however much it is."""

from __future__ import annotations

import sqlite3

CACHE_KIB = 32_768


def open_temporary(*tables: str) -> sqlite3.Connection:
    """Open a new SQLite database with these tables, which goes to disk above CACHE_KIB.

    It ends with the connection. An interrupted import is run again as a whole, so nothing of it is
    kept.
    """
    database = sqlite3.connect("", isolation_level=None)
    created = " ".join(f"CREATE TABLE {table} WITHOUT ROWID;" for table in tables)
    database.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -{CACHE_KIB}; {created} BEGIN"
    )
    return database
