"""Tests of X-Forwarded headers: whom to believe, and what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from serve.api.access.forwarded import (
    FOR,
    FORWARDED_PREFIX,
    PROTO,
    make_forwarding,
    strip_prefix,
    without_port,
)
from serve.api.wsgi import CLIENT_ADDRESS, HOST, PREFIX, SCHEME, UNIX

NETWORKS = ("10.0.0.0/8", "2001:db8::/32")
ALL = {
    "HTTP_X_FORWARDED_FOR": "203.0.113.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "models.example",
    "HTTP_X_FORWARDED_PREFIX": "/ml",
    "HTTP_FORWARDED": "for=203.0.113.8",
}


def applied(
    peer: str,
    trusted: tuple[str, ...] = NETWORKS,
    headers: Mapping[str, str] = ALL,
    *,
    base_path: str = "",
    has_router: bool = False,
    path: str = "/predict",
) -> dict[str, Any]:
    """Return the environ of a request after its X-Forwarded headers have been read."""
    environ = {CLIENT_ADDRESS: peer, SCHEME: "http", HOST: "inner:8000", "PATH_INFO": path}
    environ |= dict(headers)
    make_forwarding(trusted, base_path, has_router=has_router).apply(environ)
    return environ


def seen(environ: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return client, scheme, host and prefix."""
    return environ[CLIENT_ADDRESS], environ[SCHEME], environ[HOST], environ[PREFIX]


def test_a_trusted_proxy_is_believed() -> None:
    """It says who the client is, and how the client reaches the server."""
    assert seen(applied("10.1.2.3")) == ("203.0.113.7", "https", "models.example", "/ml")


@pytest.mark.parametrize("trusted", [(), ("192.0.2.0/24",), (UNIX,)])
def test_any_other_peer_is_not_believed(trusted: tuple[str, ...]) -> None:
    """Whoever reaches the port could write these headers."""
    assert seen(applied("10.1.2.3", trusted)) == ("10.1.2.3", "http", "inner:8000", "")


@pytest.mark.parametrize("trusted", [(), NETWORKS])
def test_the_headers_of_proxies_are_dropped(trusted: tuple[str, ...]) -> None:
    """Libraries that read them would believe everybody."""
    assert not [name for name in applied("10.1.2.3", trusted) if "FORWARDED" in name]


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("198.51.100.9, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.9, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.9.9.9", "10.9.9.9"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db9::7]:4711", "2001:db9::7"),
        ("2001:db9::7", "2001:db9::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, unknown", "10.1.2.3"),
        ("203.0.113.7, <script>", "10.1.2.3"),
        ("", "10.1.2.3"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxys(forwarded_for: str, client: str) -> None:
    """What stands before it, the client may have written itself."""
    assert applied("10.1.2.3", headers={FOR: forwarded_for})[CLIENT_ADDRESS] == client


@pytest.mark.parametrize("peer", ["::ffff:10.1.2.3", "2001:db8::1", "10.1.2.3"])
def test_a_proxy_is_known_by_either_form_of_its_address(peer: str) -> None:
    """A dual-stack socket shows IPv4 addresses within IPv6."""
    assert applied(peer)[CLIENT_ADDRESS] == "203.0.113.7"


def test_the_peer_of_a_unix_socket_is_trusted_by_name() -> None:
    """It has no address."""
    assert applied("", (UNIX,))[CLIENT_ADDRESS] == "203.0.113.7"
    assert applied("", ())[CLIENT_ADDRESS] == UNIX


@pytest.mark.parametrize("scheme", ["ftp", "", "javascript"])
def test_another_scheme_is_ignored(scheme: str) -> None:
    """It would decide whether cookies are Secure."""
    assert applied("10.1.2.3", headers={PROTO: scheme})[SCHEME] == "http"


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "/<b>", "https://a", "/..", 'x"'])
def test_a_prefix_that_is_no_path_is_ignored(prefix: str) -> None:
    """It begins every link of every page."""
    found = applied("10.1.2.3", headers={FORWARDED_PREFIX: prefix}, base_path="/ml")
    assert found[PREFIX] == "/ml"


def test_a_platforms_router_is_believed_about_the_client_alone() -> None:
    """It adds the client at the end, and passes on the host and prefix that clients write."""
    headers = ALL | {FOR: "10.6.6.6, 203.0.113.7"}
    found = seen(applied("10.1.2.3", (), headers, has_router=True))
    assert found == ("203.0.113.7", "https", "inner:8000", "")


@pytest.mark.parametrize(
    ("path", "inner"),
    [("/ml/predict", "/predict"), ("/ml/", "/"), ("/ml", "/"), ("/mlx", "/mlx"), ("/livez",) * 2],
)
def test_a_path_is_the_same_whether_or_not_the_proxy_strips_the_prefix(
    path: str, inner: str
) -> None:
    """Health checks come without the prefix."""
    assert strip_prefix(path, "/ml") == inner
    found = applied("192.0.2.1", headers={}, base_path="/ml", path=path)
    assert (found["PATH_INFO"], found[PREFIX]) == (inner, "/ml")


def test_what_proxies_pass_on_unread_is_bounded() -> None:
    """A prefix stands before each address of a page, and addresses are remembered."""
    before = without_port.cache_info().currsize
    forwarding = make_forwarding(("10.0.0.0/8",))
    hops = ", ".join(f"{'x' * 5000}{number}, 10.1.1.{number}" for number in range(9))
    environ = {
        "REMOTE_ADDR": "10.0.0.1",
        "PATH_INFO": "/",
        "HTTP_X_FORWARDED_PREFIX": "/a" * 5000,
        "HTTP_X_FORWARDED_FOR": hops,
    }
    forwarding.apply(environ)
    assert environ["SCRIPT_NAME"] == ""
    assert environ["REMOTE_ADDR"] == "10.1.1.8"
    assert without_port.cache_info().currsize <= before + 2
