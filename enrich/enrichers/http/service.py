"""What enrichers that call a service have in common: their limits, and how their calls are made."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from db.errors import EnricherError
from enrich.enrichers.base import Row

from .outcome import Outcome, Request
from .template import fill_headers

if TYPE_CHECKING:
    from .client import Read


class Limits(Protocol):
    """The limits of the calls of an enricher, as its configuration has them."""

    @property
    def timeout_seconds(self) -> float: ...
    @property
    def tries(self) -> int: ...
    @property
    def calls_per_second(self) -> float | None: ...
    @property
    def budget_calls(self) -> int | None: ...
    @property
    def budget_days(self) -> float: ...


class Service(Limits, Protocol):
    """An enricher of the kind `calls`.

    The worker builds requests and reads stored answers; the compute child makes the calls.
    """

    def request(self, row: Row) -> Request: ...
    def pick(self, text: str) -> Any: ...  # noqa: ANN401
    def perform(self, requests: Sequence[Request]) -> list[Outcome]: ...


def check_limits(limits: Limits) -> None:
    """Raise EnricherError for a limit that is not a number in its range."""
    check_number("timeout_seconds", limits.timeout_seconds, 600)
    check_number("tries", limits.tries, 10, whole=True)
    check_number("budget_days", limits.budget_days, 3660)
    if limits.calls_per_second is not None:
        check_number("calls_per_second", limits.calls_per_second, 1000)
    if limits.budget_calls is not None:
        check_number("budget_calls", limits.budget_calls, 10**12, whole=True)
        if limits.budget_calls < limits.tries:
            raise EnricherError(f"config.budget_calls: must be at least tries, {limits.tries}")


def check_number(key: str, number: object, most: float, *, whole: bool = False) -> None:
    """Raise EnricherError unless a number is above 0 and at most `most`."""
    kinds = int if whole else int | float
    if isinstance(number, bool) or not isinstance(number, kinds) or not 0 < number <= most:
        kind = "a whole number" if whole else "a number"
        raise EnricherError(f"config.{key}: must be {kind} above 0 and up to {most}")


def perform_requests(
    limits: Limits,
    headers: Mapping[str, str],
    requests: Sequence[Request],
    read: Read,
    address: str = "config.url",
) -> list[Outcome]:
    """Make the calls one after the other, and return the outcome of each.

    Once the API asks for a pause or cannot be reached, the remaining calls are not made. The
    secrets that `headers` name are read from the environment. `address` is the key of the
    configuration that has the address.
    """
    filled, secrets = fill_headers(headers, os.environ)
    from .client import CallPolicy, perform_calls  # noqa: PLC0415  needs extra packages

    policy = CallPolicy(limits.tries, limits.timeout_seconds, limits.calls_per_second, address)
    return asyncio.run(perform_calls(policy, filled, secrets, requests, read))


def missing_package(enricher: str, error: ImportError) -> EnricherError:
    """Return the error to raise for a package that an enricher needs and that is not installed."""
    return EnricherError(f"{enricher} needs {error.name}: pip install -r requirements-extra.txt")
