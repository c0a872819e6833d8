"""Tests of the limits per client."""

from __future__ import annotations

import pytest

from serve.api.access.rate_limit import RateLimit, client_of, request_limit


def test_a_client_gets_its_burst_and_then_its_rate() -> None:
    """Others have limits of their own."""
    limit = RateLimit(per_second=2, burst=3)
    for _ in range(3):
        assert limit.wait_seconds("a", now=10.0) == 0
        limit.add("a", now=10.0)
    assert limit.wait_seconds("a", now=10.0) == pytest.approx(0.5)
    assert limit.wait_seconds("b", now=10.0) == 0
    assert limit.wait_seconds("a", now=10.5) == 0
    limit.add("a", now=10.5)
    assert limit.wait_seconds("a", now=10.5) == pytest.approx(0.5)


def test_a_silent_client_gets_no_more_than_its_burst() -> None:
    """A day's silence does not pay for a flood."""
    limit = RateLimit(per_second=1, burst=2)
    limit.add("a", now=0.0)
    for _ in range(2):
        limit.add("a", now=86_400.0)
    assert limit.wait_seconds("a", now=86_400.0) == pytest.approx(1)


def test_many_clients_take_bounded_memory() -> None:
    """Those that have been silent longest are forgotten."""
    limit = RateLimit(per_second=1, burst=1, most_clients=100)
    for number in range(1_000):
        limit.add(f"{number}", now=float(number))
    assert len(limit) == 100
    assert limit.wait_seconds("999", now=999.0) > 0


def test_without_client_requests_there_is_no_limit() -> None:
    """That is the default."""
    assert request_limit(0.0) is None


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix", "unix"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_a_client_of_ipv6_is_its_network(address: str, client: str) -> None:
    """A client has 2^64 addresses there, and would never meet its limit."""
    assert client_of(address) == client
