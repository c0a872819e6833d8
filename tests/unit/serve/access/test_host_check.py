"""Tests of the host names that are answered, and of what others may see."""

from __future__ import annotations

import socket

import pytest

from db.settings import Settings
from serve.api.access.host_check import (
    HostCheck,
    exposure_warning,
    is_private,
    make_host_check,
    may_list_records,
)
from serve.api.problem import Refusal

LOCAL = HostCheck(("localhost", ".localhost", "My-Machine"))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "LOCALHOST.",
        "veilleuse.localhost:80",
        "127.0.0.1:8000",
        "127.8.8.8",
        "[::1]:8000",
        "[::1]",
        "10.0.0.5:8000",
        "my-machine:8000",
        "",
    ],
)
def test_names_and_addresses_of_this_machine_are_answered(host: str) -> None:
    """A rebound name cannot look like an address."""
    LOCAL.check({"HTTP_HOST": host})
    LOCAL.check({"HTTP_HOST": host})


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "attacker.example:8000",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "attackerlocalhost",
        "localhost:8000@attacker.example",
        "localhost:x",
        "[::1",
        "a" * 300,
        "é",
    ],
)
def test_other_names_are_refused_with_the_setting_that_allows_them(host: str) -> None:
    """A page of another site that has its name resolve to this machine shows that name."""
    for _ in range(2):
        with pytest.raises(Refusal, match="ALLOWED_HOSTS") as caught:
            LOCAL.check({"HTTP_HOST": host})
        assert caught.value.problem.status == 421


def test_hosts_that_were_allowed_take_bounded_memory() -> None:
    """A client may name every port."""
    check = HostCheck(("localhost",))
    for port in range(10_000):
        check.check({"HTTP_HOST": f"localhost:{port}"})
    assert len(check._known) <= 64


def test_only_a_server_of_this_machine_without_keys_checks_names_by_itself() -> None:
    """A cookie or a key is not sent to a rebound name, and elsewhere the names are not known."""
    local = make_host_check(Settings())
    assert local is not None
    assert local.allows(socket.gethostname())
    assert not local.allows("attacker.example")
    assert make_host_check(Settings(read_keys=("a-key-of-readers",))) is None
    assert make_host_check(Settings(host="0.0.0.0")) is None  # noqa: S104
    assert make_host_check(Settings(allowed_hosts=("*",))) is None
    named = make_host_check(Settings(host="::", allowed_hosts=("ml.example", ".ml.example")))
    assert named is not None
    assert [named.allows(name) for name in ("ml.example", "a.ml.example", "xml.example")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.2"])
def test_everybody_on_this_machine_may_list_records_where_others_cannot_come(host: str) -> None:
    """Nobody needs a key to try Veilleuse."""
    settings = Settings(host=host)
    assert is_private(settings)
    assert may_list_records(settings)
    assert exposure_warning(settings) == ""


@pytest.mark.parametrize(
    "settings",
    [
        Settings(host="0.0.0.0"),  # noqa: S104
        Settings(host="::"),
        Settings(host=""),
        Settings(host="unix:/run/veilleuse.sock"),
        Settings(allowed_hosts=("ml.example",)),
        Settings(trusted_proxies=("127.0.0.1",)),
    ],
)
def test_a_server_that_others_reach_without_keys_says_so_and_lists_no_records(
    settings: Settings,
) -> None:
    """Records are what others have imported and asked."""
    assert not may_list_records(settings)
    assert "READ_KEYS is not set" in exposure_warning(settings)
