"""A PostgreSQL server for one test, which the test may stop and start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import Server, running_postgres

__all__ = ["Server", "server"]


@pytest.fixture
def server() -> Iterator[Server]:
    """Yield a PostgreSQL server that no other test uses."""
    with running_postgres() as running:
        yield running
