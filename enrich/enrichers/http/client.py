"""The http client: calls an API with retries, pauses and limits, and turns answers into outcomes.

Imported only when calls are made: httpx and tenacity are extra packages and slow to import.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.request import getproxies

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from db.queue.meter import NO_TOKENS

from .body import BodyError
from .network import certificate_fault, make_client, proxy_reason, proxy_secrets
from .outcome import Failed, Later, Malformed, Outcome, Reply, Request
from .reply import hide
from .response import make_reply, read_body

# Statuses, besides 5xx, after which another try may succeed.
TEMPORARY = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
NOT_ALLOWED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
)
# The client waits for a pause that is shorter, and leaves a longer one to the caller.
LONGEST_PAUSE_SECONDS = 10.0
# When to send a request again: if the API does not say, and at the latest.
LATER_SECONDS = 60.0
LONGEST_SECONDS = 3600.0
# The share of a try's time in which a connection must be made: the rest is for the answer.
CONNECT_SHARE = 0.9
# So many answers that are not usable are a fault of the row, whatever its last try met.
MOST_MALFORMED = 2

# Their log lines contain values of rows, and headers of answers, which may repeat our secrets.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class CallPolicy:
    """How calls are made: tries per call, seconds per try, and tries per second at most."""

    tries: int
    timeout_seconds: float
    calls_per_second: float | None
    # The key of the configuration that has the address, for messages.
    address: str = "config.url"


# Reads a reply and hides the secrets in it. Later concerns all requests, Failed only this one.
Read: TypeAlias = Callable[[Reply, frozenset[str]], Outcome | Malformed]


class _FailedTry(Exception):
    """A try that failed, while another may succeed.

    `asked_seconds` is the pause that the API asks for. `for_all` says that any other request would
    fail too, `is_final` that another try at once would, and `is_malformed` that the API answered,
    and the answer was not usable.
    """

    def __init__(
        self,
        reason: str,
        asked_seconds: float | None = None,
        *,
        for_all: bool = False,
        is_final: bool = False,
        is_malformed: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.asked_seconds = asked_seconds
        self.for_all = for_all or is_final or asked_seconds is not None
        self.is_final = is_final
        self.is_malformed = is_malformed


async def perform_calls(
    policy: CallPolicy,
    headers: Mapping[str, str],
    secrets: frozenset[str],
    requests: Sequence[Request],
    read: Read,
) -> list[Outcome]:
    """Make the calls one after the other, and return the outcome of each as `read` finds it.

    Once the API asks for a pause or cannot be reached, the outcome of the rest is Later.
    """
    has_body = any(request.body for request in requests)
    connect_seconds = CONNECT_SHARE * policy.timeout_seconds
    async with make_client(_all_headers(headers, has_body=has_body), connect_seconds) as client:
        batch = _Batch(policy, client, secrets | proxy_secrets(getproxies()), read)
        return [await batch.outcome(request) for request in requests]


def _all_headers(configured: Mapping[str, str], *, has_body: bool) -> httpx.Headers:
    # What is not compressed needs no unpacking; servers that compress all the same are understood.
    headers = httpx.Headers({"Accept": "application/json", "Accept-Encoding": "identity"})
    if has_body:
        headers["Content-Type"] = "application/json"
    headers.update(configured)
    return headers


class _Batch:
    """Calls over one client.

    The client is asynchronous because only then can a try be cancelled at any point: httpx limits
    each read, so a server that sends a byte at a time would never time out.
    """

    def __init__(
        self, policy: CallPolicy, client: httpx.AsyncClient, secrets: frozenset[str], read: Read
    ) -> None:
        self._policy = policy
        self._client = client
        self._secrets = secrets
        self._read = read
        self._calls = 0
        self._tokens = NO_TOKENS
        self._malformed: list[str] = []
        self._next_call_at = 0.0
        self._paused: Later | None = None

    async def outcome(self, request: Request) -> Outcome:
        """Return the outcome of a request after at most `tries` tries."""
        if self._paused:
            return self._paused
        self._calls, self._tokens, self._malformed = 0, NO_TOKENS, []
        try:
            outcome: Outcome = await _retrying(self._policy.tries)(self._try, request)
        except _FailedTry as error:
            outcome = self._give_up(error)
        return replace(outcome, calls=self._calls, tokens=self._tokens)

    def _give_up(self, error: _FailedTry) -> Outcome:
        """Return the outcome of a request whose last try has failed."""
        seconds = 0.0 if error.is_final else _later_seconds(error.asked_seconds)
        later = Later(error.reason, seconds, is_asked=error.asked_seconds is not None)
        if error.for_all:
            self._paused = later
        # Otherwise a service that is often overloaded would be paid for bad answers without end.
        if error.is_malformed or len(self._malformed) >= MOST_MALFORMED:
            return Failed(self._malformed[-1], kind="malformed")
        return later

    async def _try(self, request: Request) -> Outcome:
        await self._wait_turn()
        before = self._calls
        try:
            async with asyncio.timeout(self._policy.timeout_seconds):
                return await self._send(request)
        except httpx.InvalidURL:
            return Failed(f"{self._policy.address}: the address is not usable with this row")
        except httpx.ProxyError as error:
            raise _FailedTry(proxy_reason(str(error)), is_final=True) from None
        except httpx.ConnectError as error:
            if fault := certificate_fault(error):
                raise _FailedTry(hide(fault, self._secrets), is_final=True) from None
            reason = f"cannot be reached: {hide(str(error), self._secrets)}"
        except (TimeoutError, httpx.ConnectTimeout):
            reason = f"no complete answer within {self._policy.timeout_seconds:g} s"
        except httpx.TransportError as error:
            # Not the error's text: it may quote what the server sent.
            reason = f"the connection broke ({type(error).__name__})"
        raise _FailedTry(reason, for_all=self._calls == before)

    async def _wait_turn(self) -> None:
        """Keep tries apart: the store's grant counts requests, but not when they are retried."""
        await asyncio.sleep(self._next_call_at - time.monotonic())
        if self._policy.calls_per_second:
            self._next_call_at = time.monotonic() + 1 / self._policy.calls_per_second

    async def _send(self, request: Request) -> Outcome:
        # The cookies of one answer would change the request of the next row.
        self._client.cookies.clear()
        async with self._client.stream(
            request.method,
            request.url,
            content=request.body or None,
            extensions={"trace": self._count},
        ) as response:
            _raise_for_temporary(response)
            packed = await read_body(response)
        try:
            reply = make_reply(response, packed)
        except BodyError as error:
            return Failed(str(error), kind="compressed")
        found = self._read_reply(reply)
        self._tokens = self._tokens.plus(found.tokens)
        if isinstance(found, Malformed):
            self._malformed.append(found.reason)
            raise _FailedTry(found.reason, is_malformed=True)
        if isinstance(found, Later):
            raise _FailedTry(found.reason, for_all=True, is_final=not found.seconds)
        return found

    def _read_reply(self, reply: Reply) -> Outcome | Malformed:
        try:
            return self._read(reply, self._secrets)
        except Exception as error:  # noqa: BLE001  the answers of the other requests must survive
            return Failed(f"the answer cannot be checked: {type(error).__name__}")

    async def _count(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started") and _is_api_request(info):
            self._calls += 1


def _is_api_request(info: Mapping[str, Any]) -> bool:
    """Return whether a request goes to the API; a CONNECT only opens a proxy's tunnel."""
    return getattr(info.get("request"), "method", b"") != b"CONNECT"


def _retrying(tries: int) -> AsyncRetrying:
    backoff = wait_exponential_jitter(multiplier=0.25, max=5, jitter=0.25)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), _asked_seconds(error))

    return AsyncRetrying(
        stop=stop_after_attempt(tries),
        retry=retry_if_exception(
            lambda error: (
                isinstance(error, _FailedTry)
                and not error.is_final
                and _asked_seconds(error) < LONGEST_PAUSE_SECONDS
            )
        ),
        wait=pause,
        reraise=True,
    )


def _asked_seconds(error: BaseException | None) -> float:
    return (error.asked_seconds or 0) if isinstance(error, _FailedTry) else 0


def _later_seconds(asked: float | None) -> float:
    return LATER_SECONDS if asked is None else min(max(asked, 1), LONGEST_SECONDS)


def _raise_for_temporary(response: httpx.Response) -> None:
    status = response.status_code
    if status in NOT_ALLOWED:
        # Every row would be refused, and every call paid for.
        raise _FailedTry(
            f"the API answered {status}: check the key in config.headers", is_final=True
        )
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise _FailedTry(proxy_reason(str(status)), is_final=True)
    if status in TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _FailedTry(
            f"the API answered {status}",
            read_retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC)),
            for_all=status == HTTPStatus.TOO_MANY_REQUESTS,
        )


def read_retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, None if it is not valid.

    It is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())
