"""What enrichers that call a service have in common: their limits, and how their calls are made."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from db.errors import EnricherError
from db.queue.call_quota import Quota
from enrich.enrichers.base import Row, WrongAnswer

from .outcome import Outcome, Request
from .template import fill_headers

if TYPE_CHECKING:
    from .client import Read

# Time that a call may take beyond its time-out: pauses that the service asks for.
MOST_PAUSE_SECONDS = 15.0
# Makes the calls of some requests, and reads their replies.
Perform: TypeAlias = "Callable[[Sequence[Request], Read], list[Outcome]]"


class CannotCall(WrongAnswer):
    """No call can be made: the configuration, a secret or a package is at fault.

    The compute child tells such a fault from one of the rows, so the worker counts no call.
    """


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


def quota_of(code: Limits, calls: int, suspend_seconds: float) -> Quota:
    """Return the quota under which the store grants that many calls at once."""
    gap_seconds = 1 / code.calls_per_second if code.calls_per_second else 0.0
    longest = code.tries * (code.timeout_seconds + max(MOST_PAUSE_SECONDS, gap_seconds))
    return Quota(
        tries=code.tries,
        # The calls are made one after another, by a process that may be suspended meanwhile.
        hold_seconds=calls * longest + suspend_seconds + MOST_PAUSE_SECONDS,
        most_calls=calls,
        calls_per_second=code.calls_per_second,
        budget_calls=code.budget_calls,
        budget_days=code.budget_days,
    )


def check_number(key: str, number: object, most: float, *, whole: bool = False) -> None:
    """Raise EnricherError unless a number is above 0 and at most `most`."""
    kinds = int if whole else int | float
    if isinstance(number, bool) or not isinstance(number, kinds) or not 0 < number <= most:
        kind = "a whole number" if whole else "a number"
        raise EnricherError(f"config.{key}: must be {kind} above 0 and up to {most}")


@contextmanager
def before_calls(enricher: str) -> Iterator[None]:
    """Raise CannotCall for whatever is wrong before the first call."""
    try:
        yield
    except ImportError as error:
        raise CannotCall(
            f"{enricher} needs {error.name}: pip install -r requirements-extra.txt"
        ) from None
    except EnricherError as error:
        raise CannotCall(str(error)) from None


def prepare_calls(
    limits: Limits, headers: Mapping[str, str], address: str = "config.url"
) -> Perform:
    """Return the function that makes calls, one after the other.

    It returns the outcome of each request. Once the API asks for a pause or cannot be reached, the
    remaining calls are not made. The secrets that `headers` name are read from the environment.
    `address` is the key of the configuration that has the address.
    """
    filled, secrets = fill_headers(headers, os.environ)
    from .client import CallPolicy, perform_calls  # noqa: PLC0415  needs extra packages

    policy = CallPolicy(limits.tries, limits.timeout_seconds, limits.calls_per_second, address)

    def perform(requests: Sequence[Request], read: Read) -> list[Outcome]:
        return _run(perform_calls(policy, filled, secrets, requests, read))

    return perform


def _run(calls: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
    """Return the outcomes of calls.

    `asyncio.run` would also wait for a thread that still looks a name up, which has no time limit.
    """
    loop = asyncio.new_event_loop()
    try:
        outcomes = loop.run_until_complete(calls)
        loop.run_until_complete(loop.shutdown_asyncgens())
        return outcomes
    finally:
        loop.close()


def to_json(value: object) -> bytes:
    """Return the value as JSON with sorted keys: the store returns a spec's keys in any order."""
    return msgspec.json.encode(value, order="sorted")


def sorted_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return headers as the hash of a request has them: their names in lower case, sorted."""
    return sorted((name.lower(), value) for name, value in headers.items())
