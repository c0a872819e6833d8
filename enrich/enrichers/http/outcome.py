"""Requests to an API and their outcomes, as the worker and the compute child exchange them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from db.queue.meter import NO_TOKENS, Tokens


@dataclass(frozen=True)
class Request:
    """A request without its secrets; equal requests have the same hash."""

    method: str
    url: str
    body: bytes
    hash: str


@dataclass(frozen=True)
class Reply:
    """A complete answer of an API, whatever its status; the body may be cut above the limit.

    `charset` is the one that the answer declares, and `redirect_host` the other host that a
    redirect leads to; each is empty without one.
    """

    status: int
    media_type: str
    body: bytes
    charset: str = ""
    redirect_host: str = ""


@dataclass(frozen=True)
class Answered:
    """The API answered with JSON.

    `calls` is the number of requests sent, tries included, and `tokens` what all of them used.
    """

    text: str
    calls: int = 0
    tokens: Tokens = NO_TOKENS


@dataclass(frozen=True)
class Failed:
    """The API will not answer this request, however often it is sent.

    Failures of one `kind` may have one cause, such as a wrong address.
    """

    reason: str
    calls: int = 0
    tokens: Tokens = NO_TOKENS
    kind: str = field(default="", compare=False)


@dataclass(frozen=True)
class Later:
    """There is no answer now; the request may be sent again after `seconds`.

    They are 0 where a person has to correct something. `is_asked` says that the API asks for them.
    """

    reason: str
    seconds: float
    calls: int = 0
    tokens: Tokens = NO_TOKENS
    is_asked: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Malformed:
    """The answer of one try is not usable; another try may bring one that is."""

    reason: str
    tokens: Tokens = NO_TOKENS


Outcome: TypeAlias = Answered | Failed | Later
