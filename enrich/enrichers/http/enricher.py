"""The http enricher: the value of a row is the answer of a JSON API."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from db.errors import EnricherError
from enrich.enrichers.base import Row

from .outcome import Outcome, Request
from .reply import read_reply
from .service import before_calls, check_limits, prepare_calls, sorted_headers, to_json
from .template import (
    RowFault,
    check_headers,
    check_template,
    check_url,
    fill_body,
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
        check_limits(self)

    def request(self, row: Row) -> Request:
        """Return the request for a row; raises RowFault if the row lacks a usable value."""
        url = fill_url(self.url, row)
        body = b"" if self.body is None else to_json(fill_body(self.body, row))
        identity = to_json([self.method, url, body, sorted_headers(self.headers)])
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
        with before_calls("http"):
            perform = prepare_calls(self, self.headers)
        return perform(requests, read_reply)


_KINDS = {str: "text", Mapping: "a table"}
