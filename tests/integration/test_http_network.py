"""The http enricher behind a company's proxy and certificates, and where a network hangs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.errors import EnricherError
from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.outcome import Answered, Later, Outcome

from .company_network import HOST, PASSWORD, USER, Authority, Network, company_network

ANSWER = Answered("1", calls=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a certificate authority that no list of authorities has."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def running(authority: Authority) -> Iterator[Network]:
    """Yield the network, which this module's tests share."""
    with company_network(authority) as network:
        yield network


@pytest.fixture
def network(running: Network, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return the network as no test has used it, in an environment without proxies."""
    running.site_seen.clear()
    running.proxy_seen.clear()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return running


def call(url: str, **config: Any) -> Outcome:  # noqa: ANN401
    """Make one call."""
    http = Http(url, **{"timeout_seconds": 30, "tries": 4, **config})
    (outcome,) = http.perform([http.request({})])
    return outcome


def proxy(port: int, password: str = PASSWORD) -> str:
    """Return the address of a proxy with its login."""
    return f"http://{USER}:{password}@127.0.0.1:{port}"


def test_a_certificate_that_is_not_trusted_is_named_at_once(network: Network) -> None:
    """The reason says what to set; another try would fail too, and no call is counted."""
    outcome = call(f"https://127.0.0.1:{network.site}/")
    assert isinstance(outcome, Later)
    assert outcome.reason.startswith("its certificate is not trusted (")
    assert "set SSL_CERT_FILE to a PEM file of its authorities" in outcome.reason
    assert (outcome.calls, outcome.seconds, network.site_seen) == (0, 0, [])


def test_a_company_s_own_authority_is_trusted_by_its_file(
    network: Network, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named as for other programs."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert call(f"https://127.0.0.1:{network.site}/") == ANSWER


def test_a_company_s_own_authority_is_trusted_by_its_folder(
    network: Network, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder has a file for each authority, named by its hash."""
    monkeypatch.setenv("SSL_CERT_DIR", str(authority.hashed_folder()))
    assert call(f"https://127.0.0.1:{network.site}/") == ANSWER


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SSL_CERT_FILE", "/no/such.pem", "SSL_CERT_FILE: there is no file /no/such.pem"),
        ("SSL_CERT_FILE", __file__, "is not a PEM file of certificates"),
        ("SSL_CERT_DIR", "/no/such", "SSL_CERT_DIR: there is no folder /no/such"),
        ("HTTPS_PROXY", "http://u:hush-hush@:1 2/", "HTTPS_PROXY: must be like http://USER"),
        ("HTTP_PROXY", "http://u:hush-hush@host:99999", "HTTP_PROXY: must be like http://USER"),
        ("ALL_PROXY", "ftp://u:hush-hush@host", "HTTPS_PROXY, HTTP_PROXY or NO_PROXY: is not"),
    ],
)
def test_an_environment_that_cannot_work_is_named_before_any_call(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of a proxy is not shown, because it may have a password."""
    monkeypatch.setenv(name, value)
    with pytest.raises(EnricherError, match=message) as caught:
        call("https://127.0.0.1:1/")
    assert "hush" not in str(caught.value)


def test_calls_go_through_the_proxy_of_the_environment(
    network: Network, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The login is for the proxy alone; the service does not see it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("HTTPS_PROXY", proxy(network.proxy))
    monkeypatch.setenv("HTTP_PROXY", proxy(network.plain_proxy))
    assert call(f"https://{HOST}/") == ANSWER
    assert call(f"http://{HOST}/score") == ANSWER
    assert [seen["target"] for seen in network.proxy_seen] == [
        f"{HOST}:443",
        f"http://{HOST}/score",
    ]
    assert len(network.site_seen) == 2
    assert all("proxy-authorization" not in seen for seen in network.site_seen)


def test_no_proxy_is_used_for_this_machine_and_for_hosts_that_are_named(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local model runs here, whatever the company's settings say."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy(network.plain_proxy))
    assert call(f"http://127.0.0.1:{network.plain}/") == ANSWER
    assert call(f"http://localhost:{network.plain}/") == ANSWER
    monkeypatch.setenv("NO_PROXY", "other.test,.company.test")
    outcome = call(f"http://{HOST}/", tries=1)
    assert isinstance(outcome, Later)
    assert outcome.reason.startswith("cannot be reached")
    assert network.proxy_seen == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_login_is_named_without_it(
    network: Network, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Another try would fail too."""
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy(network.proxy, "wrong-password"))
    outcome = call(f"{scheme}://{HOST}/")
    assert isinstance(outcome, Later)
    assert outcome.reason.startswith("the proxy answered 407: check HTTPS_PROXY")
    assert "password" not in outcome.reason.replace("the user and password in them", "")
    assert (outcome.seconds, len(network.proxy_seen), network.site_seen) == (0, 1, [])


def test_a_login_in_a_netrc_file_is_not_sent(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only config.headers says what a service gets."""
    (tmp_path / ".netrc").write_text("default login me password hush-hush\n", "ascii")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert call(f"http://127.0.0.1:{network.plain}/") == ANSWER
    assert "authorization" not in network.site_seen[0]


@pytest.mark.usefixtures("network")
def test_a_name_server_that_says_nothing_holds_no_call_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver has no time limit that can be set."""
    released, ended = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        released.wait(60)
        ended.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        outcome = call("http://slow.test/", timeout_seconds=0.3, tries=1)
        assert not ended.is_set()
    finally:
        released.set()
    assert isinstance(outcome, Later)
    assert outcome.reason == "no complete answer within 0.3 s"


@pytest.mark.usefixtures("network")
def test_a_host_that_does_not_answer_the_tls_greeting_has_a_deadline() -> None:
    """No request was sent, so no call is counted."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        outcome = call(url, timeout_seconds=0.3, tries=1)
    assert isinstance(outcome, Later)
    assert (outcome.reason, outcome.calls) == ("no complete answer within 0.3 s", 0)
