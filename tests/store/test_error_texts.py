"""The texts of the store's errors, which stand in logs."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.store.store import Store


def test_an_error_of_the_store_does_not_tell_what_was_asked(store: Store) -> None:
    """LOG_QUERY=off keeps it out of the log, and so must a traceback."""
    statement = text("SELECT no_such_column, :sentence")
    with store.reading() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(statement, {"sentence": "le numéro de Léa"})
    assert "no_such_column" in str(caught.value)
    assert "Léa" not in str(caught.value)
