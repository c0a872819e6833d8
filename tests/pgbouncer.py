"""A real PgBouncer in transaction mode, in front of a PostgreSQL of the tests."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from .ports import free_port
from .postgres import Server
from .processes import PATIENCE_SECONDS, wait_for

# Every transaction gets the session that was free last, whichever client used it before.
_CONFIG = """
[databases]
* = host={sockets}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
max_client_conn = 500
default_pool_size = {sessions}
# The sessions of many databases must not add up to more than the server accepts.
server_idle_timeout = 2
{user}
"""


@contextmanager
def running_pgbouncer(server: Server, sessions: int = 8) -> Iterator[Callable[[str], str]]:
    """Run PgBouncer until the block's end; yield a function that routes a database's URL by it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        users, config = Path(folder) / "users.txt", Path(folder) / "pgbouncer.ini"
        users.write_text('"postgres" ""\n')
        port = free_port()
        user = server.server.system_user
        config.write_text(
            _CONFIG.format(
                sockets=make_url(server.server.get_uri()).query["host"],
                port=port,
                users=users,
                sessions=sessions,
                # As root it would refuse to run.
                user=f"user = {user}" if user else "",
            )
        )
        with subprocess.Popen(
            ["/usr/sbin/pgbouncer", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                wait_for(lambda: _listens(running, port))
                yield lambda url: f"postgresql://postgres@127.0.0.1:{port}/{make_url(url).database}"
            finally:
                running.terminate()
                running.wait(PATIENCE_SECONDS)


def _listens(running: subprocess.Popen[bytes], port: int) -> bool:
    assert running.poll() is None, "PgBouncer has ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
