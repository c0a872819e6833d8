"""Tests of the plain requests that come in one turn of granian's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from serve.api.fast_path import PlainRequest
from serve.api.plain_requests import PlainAnswer
from serve.api.wsgi import Headers
from serve.prediction.cache import CachedResponse
from serve.server.granian_plain_turn import PlainTurn

NOT_NOW = "not now"


class Requests:
    """Answers requests with their queries, all but one that a view must answer."""

    def __init__(self) -> None:
        self.constant_headers = {"teacher": [("Content-Type", "application/json")]}
        self.sizes: list[int] = []

    def answer(self, requests: Sequence[PlainRequest]) -> list[PlainAnswer | None]:
        """Answer requests that have come together."""
        self.sizes.append(len(requests))
        return [None if one.query == NOT_NOW else _answer(one.query) for one in requests]


def _answer(query: str) -> PlainAnswer:
    response = CachedResponse(query.encode(), '"tag"', 1, "a", "teacher", "a")
    return PlainAnswer(response, f"id of {query}")


class Exchange:
    """The way back of a request, which keeps its answer."""

    def __init__(self, *, is_gone: bool = False) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self._is_gone = is_gone

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Keep an answer, unless the client has gone."""
        if self._is_gone:
            raise ConnectionError
        self.answers.append((status, dict(headers), body))


async def answer_all(
    requests: Requests, asked: Sequence[tuple[str, Exchange]]
) -> list[bool | BaseException]:
    """Return for each request whether it was answered, or the error that it got."""
    turn = PlainTurn(requests)  # type: ignore[arg-type]
    waiting = [
        turn.answer(PlainRequest("192.0.2.1", "/predict", query), exchange)  # type: ignore[arg-type]
        for query, exchange in asked
    ]
    assert not requests.sizes
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_all_requests_of_a_turn_are_answered_at_its_end() -> None:
    """Each on its own way back."""
    asked = [(f"a={at}", Exchange()) for at in range(3)]
    requests = Requests()
    assert asyncio.run(answer_all(requests, asked)) == [True] * len(asked)
    assert requests.sizes == [3]
    assert all(
        exchange.answers
        == [
            (
                200,
                {
                    "Content-Type": "application/json",
                    "ETag": '"tag"',
                    "X-Request-Id": f"id of {query}",
                },
                query.encode(),
            )
        ]
        for query, exchange in asked
    )


def test_a_client_that_has_gone_leaves_the_others_alone() -> None:
    """And so does a request that a view must answer."""
    exchanges = [Exchange(), Exchange(is_gone=True), Exchange(), Exchange()]
    asked = list(zip(["a=1", "a=2", NOT_NOW, "a=3"], exchanges, strict=True))
    first, gone, not_now, last = asyncio.run(answer_all(Requests(), asked))
    assert (first, not_now, last) == (True, False, True)
    assert isinstance(gone, ConnectionError)
    assert [len(exchange.answers) for exchange in exchanges] == [1, 0, 0, 1]


def test_a_request_that_is_cancelled_leaves_the_others_alone() -> None:
    """The server ends it when its connection closes."""
    left, stays = Exchange(), Exchange()

    async def cancel() -> bool:
        turn = PlainTurn(Requests())  # type: ignore[arg-type]
        request = PlainRequest("192.0.2.1", "/predict", "a=1")
        turn.answer(request, left).cancel()  # type: ignore[arg-type]
        return await turn.answer(request, stays)  # type: ignore[arg-type]

    assert asyncio.run(cancel())
    assert (len(left.answers), len(stays.answers)) == (0, 1)
