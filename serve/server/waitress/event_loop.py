"""The event loop: waits for what connections have sent, at a cost that idle ones do not raise.

waitress asks every connection before each wait whether it wants to read or write: with 5,000
connections that took longer than the answers.
"""

from __future__ import annotations

import select
import selectors
from typing import Any, Protocol

from waitress import wasyncore

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_POLL_FLAGS = {
    READ: select.POLLIN,
    WRITE: select.POLLOUT,
    READ | WRITE: select.POLLIN | select.POLLOUT,
}


class Handler(Protocol):
    """A connection or a listener, which says what it waits for."""

    # What it is registered for: READ, WRITE, both, or 0.
    registered_events: int
    socket: Any

    def readable(self) -> bool:
        """Return whether it wants to read."""
        ...

    def writable(self) -> bool:
        """Return whether it wants to write."""
        ...


class EventLoop:
    """Handles the events of registered handlers.

    What a handler waits for is looked up again after each of its events. Where something else
    changes it, such as a thread that has answered, `update` must be called.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, handler: Handler) -> None:
        """Register a new handler, which waits for something to read."""
        self._selector.register(handler.socket, READ, handler)
        handler.registered_events = READ

    def update(self, handler: Handler) -> None:
        """Register a handler for what it waits for now."""
        events = (READ if handler.readable() else 0) | (WRITE if handler.writable() else 0)
        before = handler.registered_events
        if events == before:
            return
        if not events:
            self.remove(handler)
            return
        change = self._selector.modify if before else self._selector.register
        change(handler.socket, events, handler)
        handler.registered_events = events

    def remove(self, handler: Handler) -> None:
        """Forget a handler, before its file descriptor is closed."""
        if handler.registered_events:
            self._selector.unregister(handler.socket)
            handler.registered_events = 0

    def wait(self, seconds: float) -> None:
        """Wait for events at most that long, and handle them."""
        for key, events in self._selector.select(seconds):
            handler = key.data
            # An event before it in this list may have closed it.
            if handler.registered_events:
                wasyncore.readwrite(handler, _POLL_FLAGS[events])
                if handler.registered_events:
                    self.update(handler)

    def close(self) -> None:
        """Close the selector."""
        self._selector.close()
