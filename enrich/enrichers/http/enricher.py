"""What a JSON API says of a row."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import msgspec

from db.errors import EnricherError
from enrich.enrichers.base import Row

from .template import (
    RowFault,
    check_headers,
    check_template,
    check_url,
    fill_body,
    fill_headers,
    fill_url,
    pick_path,
)

METHODS = ("GET", "POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Request:
    """A request without its secrets, known by its hash."""

    method: str
    url: str
    body: bytes
    hash: str


@dataclass(frozen=True)
class Answered:
    """The API gave JSON; `calls` counts the requests that went out for it, as everywhere here."""

    text: str
    calls: int = 0


@dataclass(frozen=True)
class Failed:
    """The API has no answer to this request."""

    reason: str
    calls: int = 0


@dataclass(frozen=True)
class Later:
    """The answer could not be had now; it may be had in so many seconds."""

    reason: str
    seconds: float
    calls: int = 0


Outcome: TypeAlias = Answered | Failed | Later


@dataclass(frozen=True)
class Http:
    """The answer of a JSON API.

    `url` and `body` are templates: `{name}` is a value of the row. `answer` is the dotted path
    into what comes back. A header may hold `${NAME}`, a variable of the worker's environment.
    """

    version: ClassVar[str] = "1"
    # Its calls are granted, counted and kept in the store.
    metered: ClassVar[bool] = True

    url: str
    answer: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    timeout_seconds: float = 10
    tries: int = 4
    calls_per_second: float | None = None
    budget_calls: int | None = None
    budget_days: float = 30

    def __post_init__(self) -> None:
        for key, kind in (("url", str), ("answer", str), ("method", str), ("headers", Mapping)):
            if not isinstance(getattr(self, key), kind):
                raise EnricherError(f"config.{key}: must be {_KINDS[kind]}")
        if self.method not in METHODS:
            raise EnricherError(f"config.method: must be one of {', '.join(METHODS)}")
        if self.answer and not all(self.answer.split(".")):
            raise EnricherError("config.answer: must be names with a dot between them")
        check_url(self.url)
        check_template("body", self.body)
        check_headers(self.headers)
        self._check_numbers()

    def _check_numbers(self) -> None:
        _check_number("timeout_seconds", self.timeout_seconds, 600)
        _check_number("tries", self.tries, 10, whole=True)
        _check_number("budget_days", self.budget_days, 3660)
        if self.calls_per_second is not None:
            _check_number("calls_per_second", self.calls_per_second, 1000)
        if self.budget_calls is not None:
            _check_number("budget_calls", self.budget_calls, 10**12, whole=True)
            if self.budget_calls < self.tries:
                raise EnricherError(f"config.budget_calls: must be at least tries, {self.tries}")

    def request(self, row: Row) -> Request:
        """Return a row's request; raises RowFault if the row cannot make one."""
        url = fill_url(self.url, row)
        body = b"" if self.body is None else _to_json(fill_body(self.body, row))
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        known_by = _to_json([self.method, url, body, headers])
        return Request(self.method, url, body, hashlib.sha256(known_by).hexdigest())

    def pick(self, text: str) -> Any:  # noqa: ANN401
        """Return the value at `answer` of a JSON answer; raises RowFault if there is none."""
        try:
            return pick_path(msgspec.json.decode(text), self.answer)
        except (ValueError, RecursionError):
            raise RowFault("the answer is no JSON") from None

    def perform(self, requests: Sequence[Request]) -> list[Outcome]:
        """Make the calls one after the other; returns an outcome for each.

        Once the API asks for a pause, or cannot be reached, the rest are not even tried.
        """
        headers, secrets = fill_headers(self.headers, os.environ)
        try:
            from .client import perform_calls  # noqa: PLC0415  its packages are extras
        except ImportError as error:
            raise EnricherError(
                f"http needs {error.name}: pip install -r requirements-extra.txt"
            ) from None
        return asyncio.run(perform_calls(self, headers, secrets, requests))


_KINDS = {str: "text", Mapping: "a table"}


def _check_number(key: str, number: object, most: float, *, whole: bool = False) -> None:
    kinds = int if whole else int | float
    if isinstance(number, bool) or not isinstance(number, kinds) or not 0 < number <= most:
        kind = "a whole number" if whole else "a number"
        raise EnricherError(f"config.{key}: must be {kind} above 0 and up to {most}")


def _to_json(value: object) -> bytes:
    """Return one text for each value: a spec comes out of the store with its keys in any order."""
    return msgspec.json.encode(value, order="sorted")
