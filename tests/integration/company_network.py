"""A company's network for tests: its own certificate authority, and a proxy with a login."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HOST = "api.company.test"
USER, PASSWORD = "worker", "pr0xy-pass%40word"
LOGIN = "Basic " + base64.b64encode(b"worker:pr0xy-pass@word").decode()


class Authority:
    """A certificate authority in a folder: `file` is its certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        self._run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Company")

    def _run(self, arguments: str) -> str:
        command = ["openssl", *arguments.split()]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def hashed_folder(self) -> Path:
        """Return a folder with the certificate, as SSL_CERT_DIR wants it."""
        folder = self.folder / "certificates"
        folder.mkdir()
        name = self._run("x509 -hash -noout -in ca.pem")
        (folder / f"{name}.0").write_bytes(self.file.read_bytes())
        return folder

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of a server of HOST and 127.0.0.1, which the authority signs."""
        (self.folder / "names").write_text(f"subjectAltName=DNS:{HOST},IP:127.0.0.1", "ascii")
        self._run("req -newkey rsa:2048 -nodes -keyout site.key -out site.csr -subj /CN=site")
        self._run("x509 -req -in site.csr -CA ca.pem -CAkey ca.key -out site.pem -extfile names")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "site.pem", self.folder / "site.key")
        return context


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


class _Proxy(_Site):
    """Takes a request with the right login to the site, whatever host it names."""

    site_port: int

    def do_GET(self) -> None:
        if not self._is_allowed():
            return
        with socket.create_connection(("127.0.0.1", self.site_port)) as site:
            path = urlsplit(self.path).path
            site.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
            )
            while data := site.recv(65536):
                self.wfile.write(data)
        self.close_connection = True

    def do_CONNECT(self) -> None:
        if not self._is_allowed():
            return
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.site_port)) as site:
            threading.Thread(target=_pump, args=(site, self.connection), daemon=True).start()
            _pump(self.connection, site)
        self.close_connection = True

    def _is_allowed(self) -> bool:
        self.seen.append({"target": self.path})
        if self.headers.get("Proxy-Authorization") == LOGIN:
            return True
        self.send_response(407, "Log in, " + PASSWORD)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing, because clients that trust nobody close the connection."""


@contextmanager
def _running(handler: type[_Site], context: ssl.SSLContext | None) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), handler)
    if context:
        # The handshake belongs to the connection's thread, not to the one that accepts.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Network:
    """The ports of a site, with TLS and without, and of their proxies, and what they have seen."""

    def __init__(self, site: int, plain: int, proxy: int, plain_proxy: int) -> None:
        self.site, self.plain, self.proxy, self.plain_proxy = site, plain, proxy, plain_proxy
        self.site_seen: list[dict[str, str]] = []
        self.proxy_seen: list[dict[str, str]] = []


@contextmanager
def company_network(authority: Authority) -> Iterator[Network]:
    """Run the site and its proxies until the end of the block."""
    site_seen: list[dict[str, str]] = []
    proxy_seen: list[dict[str, str]] = []
    site = type("Site", (_Site,), {"seen": site_seen})
    with _running(site, authority.context()) as port, _running(site, None) as plain:
        proxy = {"seen": proxy_seen, "site_port": port}
        plain_proxy = {"seen": proxy_seen, "site_port": plain}
        with (
            _running(type("Proxy", (_Proxy,), proxy), None) as first,
            _running(type("PlainProxy", (_Proxy,), plain_proxy), None) as second,
        ):
            network = Network(port, plain, first, second)
            network.site_seen, network.proxy_seen = site_seen, proxy_seen
            yield network
