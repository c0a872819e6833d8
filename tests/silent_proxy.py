"""A TCP proxy that can swallow what both sides say, as a network that drops packets does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PIECE_BYTES = 65536


class SilentProxy:
    """Passes connections on to a server; while it is silent, nothing comes through either way.

    What it has swallowed is lost, so that connections of that time are of no use afterwards, and
    neither side is told.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.is_silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        """Pass bytes on in one direction, and the end of the connection."""
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if not self.is_silent:
                    target.sendall(piece)
            if not self.is_silent:
                target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the listener and every connection."""
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def proxy_to(socket_path: str) -> Iterator[SilentProxy]:
    """Run a proxy to a unix socket for the block."""

    def connect() -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(socket_path)
        return server

    proxy = SilentProxy(connect)
    try:
        yield proxy
    finally:
        proxy.close()
