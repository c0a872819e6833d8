"""The store's generation: a number that rises when models, predictions or specs change."""

from __future__ import annotations

from .direct.statement import Statement, StoreConnection

_read = Statement("SELECT number FROM {schema}generation")
_raise = Statement("UPDATE {schema}generation SET number = number + 1")


def read_generation(connection: StoreConnection) -> int:
    """Return the current generation."""
    number: int = _read.value(connection)
    return number


def raise_generation(connection: StoreConnection) -> None:
    """Make every web process drop its cached responses and reload the catalog."""
    _raise.run(connection)
