"""The http enricher: the value of a row is the answer of a JSON API."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from db.errors import EnricherError
from enrich.enrichers.base import Row

from .outcome import Outcome, Request
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
class Http:
    """Calls a JSON API for each row.

    `url` and `body` are templates, in which `{name}` stands for a value of the row. `answer` is the
    dotted path of the value in the API's answer. A header may contain `${NAME}`, a variable of the
    worker's environment.
    """

    version: ClassVar[str] = "1"
    # The store grants and counts its calls, and keeps their answers.
    kind: ClassVar[str] = "calls"

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
            raise EnricherError("config.answer: must be names separated by dots, like result.score")
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
        """Return the request for a row; raises RowFault if the row lacks a usable value."""
        url = fill_url(self.url, row)
        body = b"" if self.body is None else _to_json(fill_body(self.body, row))
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        identity = _to_json([self.method, url, body, headers])
        return Request(self.method, url, body, hashlib.sha256(identity).hexdigest())

    def pick(self, text: str) -> Any:  # noqa: ANN401
        """Return the value at the path `answer` in a JSON text; raises RowFault without one."""
        try:
            return pick_path(msgspec.json.decode(text), self.answer)
        except (ValueError, RecursionError):
            raise RowFault("the answer is not JSON") from None

    def perform(self, requests: Sequence[Request]) -> list[Outcome]:
        """Make the calls one after the other, and return the outcome of each.

        Once the API asks for a pause or cannot be reached, the remaining calls are not made.
        """
        headers, secrets = fill_headers(self.headers, os.environ)
        try:
            from .client import CallPolicy, perform_calls  # noqa: PLC0415  needs extra packages
        except ImportError as error:
            raise EnricherError(
                f"http needs {error.name}: pip install -r requirements-extra.txt"
            ) from None
        policy = CallPolicy(self.tries, self.timeout_seconds, self.calls_per_second)
        return asyncio.run(perform_calls(policy, headers, secrets, requests))


_KINDS = {str: "text", Mapping: "a table"}


def _check_number(key: str, number: object, most: float, *, whole: bool = False) -> None:
    kinds = int if whole else int | float
    if isinstance(number, bool) or not isinstance(number, kinds) or not 0 < number <= most:
        kind = "a whole number" if whole else "a number"
        raise EnricherError(f"config.{key}: must be {kind} above 0 and up to {most}")


def _to_json(value: object) -> bytes:
    """Return the value as JSON with sorted keys: the store returns a spec's keys in any order."""
    return msgspec.json.encode(value, order="sorted")
