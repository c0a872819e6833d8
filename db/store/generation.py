"""The store's generation: a number that rises when models, predictions or specs change."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from db.store import tables

_read = select(tables.generation.c.number)
_raise = update(tables.generation).values(number=tables.generation.c.number + 1)


def read_generation(connection: Connection) -> int:
    """Return the current generation."""
    number: int = connection.execute(_read).scalar_one()
    return number


def raise_generation(connection: Connection) -> None:
    """Make every web process drop its cached responses and reload the catalog."""
    connection.execute(_raise)
