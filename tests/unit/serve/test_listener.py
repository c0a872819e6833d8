"""Tests of the listening socket: both protocols, unix sockets, and advice that fits the mistake."""

from __future__ import annotations

import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from db.errors import SettingError
from db.settings import Settings
from serve.healthcheck import connect, is_ready
from serve.server.listener import listen, remove_socket, shown_address
from tests.ports import free_port


def settings(host: str, port: int = 0) -> Settings:
    """Return settings with an address."""
    return replace(Settings(), host=host, port=port or free_port())


def refusal(host: str, port: int = 0) -> str:
    """Return the error of an address on which nothing can listen."""
    with pytest.raises(SettingError) as raised:
        listen(settings(host, port))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("host", ["::", "[::]"])
def test_every_address_of_ipv6_is_every_address_of_ipv4_too(host: str) -> None:
    """As the system's default has it."""
    given = settings(host)
    with listen(given):
        for client in ("127.0.0.1", "::1"):
            socket.create_connection((client, given.port), timeout=5).close()
    assert shown_address(given) == f"http://[::]:{given.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "[::1]", "localhost"])  # noqa: S104
def test_the_health_check_finds_the_server_wherever_it_listens(host: str) -> None:
    """It is given the same HOST and PORT."""
    given = settings(host)
    with listen(given):
        connect(host, given.port).close()
    assert not is_ready(host, given.port)


def test_the_group_of_a_unix_socket_may_connect_and_others_may_not(tmp_path: Path) -> None:
    """The folder and its group decide which proxy that is."""
    host = f"unix:{tmp_path}/web.sock"
    with listen(settings(host)):
        assert stat.S_IMODE((tmp_path / "web.sock").stat().st_mode) == 0o660
        connect(host, 0).close()
    assert shown_address(settings(host)) == host
    remove_socket(host)
    assert not list(tmp_path.iterdir())


def test_the_socket_of_a_process_that_died_is_replaced(tmp_path: Path) -> None:
    """It stays behind after SIGKILL."""
    host = f"unix:{tmp_path}/web.sock"
    listen(settings(host)).close()
    with listen(settings(host)):
        connect(host, 0).close()


def test_the_socket_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    """Both would wait for requests, and one would get none."""
    host = f"unix:{tmp_path}/web.sock"
    with listen(settings(host)):
        assert "another process listens on it" in refusal(host)
        connect(host, 0).close()


def test_a_file_is_not_replaced_by_a_socket(tmp_path: Path) -> None:
    """A mistyped path must not delete anything."""
    (tmp_path / "data.csv").write_text("a\n1\n")
    assert "no socket" in refusal(f"unix:{tmp_path}/data.csv")
    assert (tmp_path / "data.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize("path", ["/nowhere/web.sock", "/" + "x" * 200])
def test_a_unix_socket_that_cannot_be_made_names_its_path(path: str) -> None:
    """Its folder does not exist, or the path is longer than the system allows."""
    assert path in refusal(f"unix:{path}")


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("192.0.2.1", "an address of this machine"),
        ("no-such-name.invalid", "the name does not resolve"),
        ("a" * 70 + ".example", "the name does not resolve"),
        ("300.1.2.3", "the name does not resolve"),
    ],
)
def test_a_wrong_host_is_not_blamed_on_the_port(host: str, advice: str) -> None:
    """Another PORT would not help."""
    said = refusal(host)
    assert advice in said
    assert "choose another PORT" not in said


def test_a_port_in_use_is_named() -> None:
    """Here another PORT helps."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert "choose another PORT" in refusal("127.0.0.1", other.getsockname()[1])
