"""Limits per client: how many requests one may make, in memory that is bounded."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from serve.api.problem import Refusal

# Further clients take the place of those that have been silent longest.
MOST_CLIENTS = 10_000
# A page makes several requests at once.
LEAST_BURST = 20
IPV6_NETWORK_BITS = 64


class TooManyRequests(Refusal):
    """A client has used up its limit; it may go on after some seconds."""

    def __init__(self, detail: str, wait_seconds: float) -> None:
        self.retry_seconds = max(math.ceil(wait_seconds), 1)
        super().__init__(429, f"{detail}; try again in {self.retry_seconds} s")


class RateLimit:
    """So many events per second for each client, and at first a burst of them.

    For each client it keeps the time at which all its events are paid for (the generic cell rate
    algorithm), so a client that has been silent for a while needs no entry.
    """

    def __init__(self, per_second: float, burst: float, most_clients: int = MOST_CLIENTS) -> None:
        self._interval = 1 / per_second
        self._ahead = (burst - 1) * self._interval
        self._most_clients = most_clients
        self._paid_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._paid_at)

    def wait_seconds(self, client: str, now: float | None = None) -> float:
        """Return for how long a client must wait for its next event, 0 if it need not wait."""
        now = time.monotonic() if now is None else now
        return max(self._paid_at.get(client, now) - now - self._ahead, 0.0)

    def add(self, client: str, now: float | None = None) -> None:
        """Count an event of a client."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._paid_at[client] = max(self._paid_at.get(client, now), now) + self._interval
            self._paid_at.move_to_end(client)
            if len(self._paid_at) > self._most_clients:
                self._paid_at.popitem(last=False)

    def check(self, client: str) -> None:
        """Count a request of a client; raises TooManyRequests if it must wait."""
        wait = self.wait_seconds(client)
        if wait:
            raise TooManyRequests("this client makes more requests than CLIENT_REQUESTS", wait)
        self.add(client)


def request_limit(per_second: float) -> RateLimit | None:
    """Return the limit of CLIENT_REQUESTS, None where there is none."""
    return RateLimit(per_second, max(2 * per_second, LEAST_BURST)) if per_second else None


def client_of(address: str) -> str:
    """Return the name of a client by its address: one client has a whole /64 network of IPv6."""
    return _network_of(address) if ":" in address else address


@functools.lru_cache(1024)
def _network_of(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    host_bits = 128 - IPV6_NETWORK_BITS
    return f"{IPv6Address(int(parsed) >> host_bits << host_bits)}/{IPV6_NETWORK_BITS}"
