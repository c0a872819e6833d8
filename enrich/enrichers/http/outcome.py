"""Requests to an API and their outcomes, as the worker and the compute child exchange them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Request:
    """A request without its secrets; equal requests have the same hash."""

    method: str
    url: str
    body: bytes
    hash: str


@dataclass(frozen=True)
class Answered:
    """The API answered with JSON. `calls` is the number of requests sent, tries included."""

    text: str
    calls: int = 0


@dataclass(frozen=True)
class Failed:
    """The API will not answer this request, however often it is sent."""

    reason: str
    calls: int = 0


@dataclass(frozen=True)
class Later:
    """There is no answer now; the request may be sent again after `seconds`."""

    reason: str
    seconds: float
    calls: int = 0


Outcome: TypeAlias = Answered | Failed | Later
