"""The plain requests that have come in one turn of the event loop, which are answered together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from serve.api.fast_path import PlainRequest

from .event_loop import EventLoop
from .plain_response import PlainResponses

if TYPE_CHECKING:
    from .channel import Channel


class _Waiting(NamedTuple):
    """A request, where it came from, and the bytes that it was read from."""

    channel: Channel
    request: PlainRequest
    data: bytes


class PlainTurn:
    """Gathers the plain requests of a turn, and sends the responses at its end."""

    def __init__(self, responses: PlainResponses, event_loop: EventLoop) -> None:
        self._responses = responses
        self._event_loop = event_loop
        self._waiting: list[_Waiting] = []

    def take(self, channel: Channel, data: bytes) -> bool:
        """Take bytes that are a plain request as a whole; return False for all others."""
        request = self._responses.read(channel.peer, data)
        if request is None:
            return False
        self._waiting.append(_Waiting(channel, request, data))
        return True

    def answer(self) -> None:
        """Answer the requests that wait; waitress parses those that need more than an answer."""
        waiting, self._waiting = self._waiting, []
        responses = self._responses.answer([one.request for one in waiting])
        for one, response in zip(waiting, responses, strict=True):
            if response is None:
                self._attempt(one.channel, partial(one.channel.parse, one.data))
            else:
                self._attempt(one.channel, partial(one.channel.send_at_once, response))

    def _attempt(self, channel: Channel, step: Callable[[], object]) -> None:
        """Take a step on a connection, which an error closes, as one in waitress's loop does."""
        # Something else may have closed it since its request came.
        if not channel.connected:
            return
        try:
            step()
        except OSError:
            channel.handle_close()
        except Exception:  # noqa: BLE001  it is logged there
            channel.handle_error()
        if channel.registered_events:
            self._event_loop.update(channel)
