"""Errors of the store are shown without the secrets of its address, wherever they are shown."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from db.cli.console import run_command
from db.queue.run_history import error_words
from db.store.store import connect_store, error_reason
from tests.conftest import settings_for

URL = "postgresql://u:s3cret%40pw@127.0.0.1:1/d?sslpassword=0ther-s3cret"
MESSAGE = "no entry for s3cret@pw, s3cret%40pw, 0ther-s3cret"
SHOWN = "no entry for ***, ***, ***"


@pytest.fixture
def error() -> OperationalError:
    """Return the error of a driver that repeats what it was given."""
    connect_store(settings_for(URL))
    return OperationalError("SELECT 1", {}, Exception(MESSAGE))


def test_a_message_of_the_driver_shows_no_secret(error: OperationalError) -> None:
    """It stands on pages, in tables and in logs."""
    assert error_reason(error) == SHOWN
    assert error_words(error) == SHOWN


def test_a_command_that_fails_shows_no_secret(
    error: OperationalError, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its output is kept by the platform."""

    def fail() -> None:
        raise error

    assert run_command(fail) == 1
    assert SHOWN in capsys.readouterr().err
