"""A PostgreSQL of a test's own, which it may stop and start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import Server, running_postgres

__all__ = ["Server", "server"]


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a PostgreSQL that no other test uses."""
    with running_postgres() as running:
        yield running
