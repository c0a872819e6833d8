"""The number that rises when what is served has changed."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from db.store import tables

_read = select(tables.generation.c.number)
_raise = update(tables.generation).values(number=tables.generation.c.number + 1)


def read_generation(connection: Connection) -> int:
    """Return the store's generation."""
    number: int = connection.execute(_read).scalar_one()
    return number


def raise_generation(connection: Connection) -> None:
    """Tell every web process to look again."""
    connection.execute(_raise)
