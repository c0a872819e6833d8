"""The plain requests that have come in one turn of granian's event loop, answered together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from serve.api.fast_path import PlainRequest
from serve.api.plain_requests import PlainAnswer, PlainRequests

if TYPE_CHECKING:
    from .granian_app import Exchange

Waiting: TypeAlias = tuple[PlainRequest, "Exchange", "asyncio.Future[bool]"]


class PlainTurn:
    """Gathers the plain requests of a turn of the event loop, and answers them at its end."""

    def __init__(self, plain_requests: PlainRequests) -> None:
        self._plain_requests = plain_requests
        self._waiting: list[Waiting] = []

    def answer(self, request: PlainRequest, exchange: Exchange) -> asyncio.Future[bool]:
        """Answer a request; the result is whether it could be answered."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._answer_all)
        is_answered = loop.create_future()
        self._waiting.append((request, exchange, is_answered))
        return is_answered

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        answers = self._plain_requests.answer([request for request, _, _ in waiting])
        for one, answer in zip(waiting, answers, strict=True):
            self._settle(one, answer)

    def _settle(self, waiting: Waiting, answer: PlainAnswer | None) -> None:
        """Send an answer, and let its request end; a client that has gone ends its own alone."""
        _, exchange, is_answered = waiting
        if is_answered.done():
            return
        try:
            is_answered.set_result(self._send(exchange, answer))
        except Exception as error:  # noqa: BLE001  raised where the request waits
            is_answered.set_exception(error)

    def _send(self, exchange: Exchange, answer: PlainAnswer | None) -> bool:
        """Send an answer, if there is one."""
        if answer is None:
            return False
        response, request_id = answer
        headers = [
            *self._plain_requests.constant_headers[response.source],
            ("ETag", response.tag),
            ("X-Request-Id", request_id),
        ]
        exchange.response_bytes(200, headers, response.body)
        return True
