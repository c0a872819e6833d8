"""Calls to an API: tries, pauses, bounds, and what is made of the answers.

Imported only where calls are made, since what it needs is an extra and slow to import.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from .enricher import Answered, Failed, Http, Later, Outcome, Request

LIMIT_BYTES = 2**20
# Asking again may help.
PASSING = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
OUR_FAULT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})
# A pause that is asked for is sat out if it is shorter; a longer one is the caller's to plan.
PATIENCE_SECONDS = 10.0
LATER_SECONDS = 60.0
LONGEST_SECONDS = 3600.0

# Their lines hold rows' values, and headers of answers, which may echo ours.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Unavailable(Exception):
    """A try came to nothing, and another may not; `for_all` if that goes for any request."""

    def __init__(
        self, reason: str, asked_seconds: float | None = None, *, for_all: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.asked_seconds = asked_seconds
        self.for_all = for_all or asked_seconds is not None


async def perform_calls(
    http: Http, headers: Mapping[str, str], secrets: frozenset[str], requests: Sequence[Request]
) -> list[Outcome]:
    """Make the calls one after the other, until the API wants a pause or cannot be reached."""
    async with httpx.AsyncClient(
        headers=_all_headers(http, headers),
        # What goes out, and to whom, stands in the spec alone: no proxy and no password that
        # an environment or a .netrc happens to hold.
        trust_env=False,
        follow_redirects=False,
        # One clock for a whole try takes its place, see `_Batch`.
        timeout=None,  # noqa: S113
    ) as client:
        batch = _Batch(http, client, secrets)
        return [await batch.outcome(request) for request in requests]


def _all_headers(http: Http, wanted: Mapping[str, str]) -> httpx.Headers:
    # An answer packed by the server could unpack to any size.
    headers = httpx.Headers({"Accept": "application/json", "Accept-Encoding": "identity"})
    if http.body is not None:
        headers["Content-Type"] = "application/json"
    headers.update(wanted)
    return headers


class _Batch:
    """Calls over one client.

    The client is an asynchronous one since only there a try can be given up wherever it
    stands: httpx bounds each read, and a server that sends a byte at a time never ends.
    """

    def __init__(self, http: Http, client: httpx.AsyncClient, secrets: frozenset[str]) -> None:
        self._http = http
        self._client = client
        self._secrets = secrets
        self._calls = 0
        self._next_call_at = 0.0
        self._paused: Later | None = None

    async def outcome(self, request: Request) -> Outcome:
        if self._paused:
            return self._paused
        self._calls = 0
        try:
            outcome: Outcome = await _retrying(self._http.tries)(self._try, request)
        except Unavailable as error:
            outcome = later = Later(error.reason, _later_seconds(error.asked_seconds))
            self._paused = later if error.for_all else None
        return replace(outcome, calls=self._calls)

    async def _try(self, request: Request) -> Outcome:
        await self._wait_turn()
        before = self._calls
        try:
            async with asyncio.timeout(self._http.timeout_seconds):
                return await self._send(request)
        except httpx.InvalidURL:
            return Failed("the address is not usable with this row")
        except httpx.ConnectError as error:
            reason = f"cannot be reached: {hide(str(error), self._secrets)}"
        except TimeoutError:
            reason = f"no whole answer within {self._http.timeout_seconds:g} s"
        except httpx.TransportError as error:
            # Its text may quote what the server sent.
            reason = f"the connection broke ({type(error).__name__})"
        raise Unavailable(reason, for_all=self._calls == before)

    async def _wait_turn(self) -> None:
        """Keep tries apart: a grant counts requests, and says nothing of when they are retried."""
        await asyncio.sleep(self._next_call_at - time.monotonic())
        if self._http.calls_per_second:
            self._next_call_at = time.monotonic() + 1 / self._http.calls_per_second

    async def _send(self, request: Request) -> Outcome:
        # An answer's cookies would make the next row's request another.
        self._client.cookies.clear()
        async with self._client.stream(
            request.method,
            request.url,
            content=request.body or None,
            extensions={"trace": self._count},
        ) as response:
            _refuse_passing(response)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                return Failed("the answer is compressed, though it was asked for plain")
            body = await _read(response)
        return judge(response.status_code, body, self._secrets)

    async def _count(self, event: str, _: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            self._calls += 1


def _retrying(tries: int) -> AsyncRetrying:
    backoff = wait_exponential_jitter(multiplier=0.25, max=5, jitter=0.25)

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), _asked_seconds(error))

    return AsyncRetrying(
        stop=stop_after_attempt(tries),
        retry=retry_if_exception(
            lambda error: (
                isinstance(error, Unavailable) and _asked_seconds(error) < PATIENCE_SECONDS
            )
        ),
        wait=pause,
        reraise=True,
    )


def _asked_seconds(error: BaseException | None) -> float:
    return (error.asked_seconds or 0) if isinstance(error, Unavailable) else 0


def _later_seconds(asked: float | None) -> float:
    return LATER_SECONDS if asked is None else min(max(asked, 1), LONGEST_SECONDS)


def _refuse_passing(response: httpx.Response) -> None:
    status = response.status_code
    if status in OUR_FAULT:
        # Every row would be refused, and each one paid for.
        raise Unavailable(f"the API answered {status}: is the key right?", LATER_SECONDS)
    if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(
            f"the API answered {status}",
            read_retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC)),
            for_all=status == HTTPStatus.TOO_MANY_REQUESTS,
        )


def read_retry_after(text: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, in either of its forms (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


async def _read(response: httpx.Response) -> bytes:
    """Return the body, or a little more than the limit of it."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LIMIT_BYTES:
            break
    return bytes(body)


def judge(status: int, body: bytes, secrets: frozenset[str]) -> Outcome:
    """Return the outcome of an answer that is there; no secret remains in it."""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failed(f"the API answered {status}: put the address it now has into config.url")
    if len(body) > LIMIT_BYTES:
        return Failed(f"the answer ({status}) is larger than {LIMIT_BYTES} bytes")
    try:
        # Decoded first: a secret can be spelt with escapes.
        text = msgspec.json.encode(hide(msgspec.json.decode(body), secrets)).decode()
    except (ValueError, RecursionError):
        text = ""
    if status >= HTTPStatus.BAD_REQUEST:
        return Failed(f"the API answered {status}: {text[:200]}".rstrip(": "))
    return Answered(text) if text else Failed(f"the answer ({status}) is no JSON")


def hide(value: Any, secrets: frozenset[str]) -> Any:  # noqa: ANN401  whatever JSON can say
    """Return the value with *** wherever a secret stood in it."""
    if isinstance(value, dict):
        return {hide(key, secrets): hide(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [hide(item, secrets) for item in value]
    if not isinstance(value, str):
        return "***" if any(secret in str(value) for secret in secrets) else value
    for secret in sorted(secrets, key=len, reverse=True):
        value = value.replace(secret, "***")
    return value
