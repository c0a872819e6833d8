"""Rendered pages, kept for a few seconds however many browsers ask for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from serve.pages.language.translation import language
from serve.pages.navigation import has_session
from serve.store_reader import StoreUnreachable

# How long a rendered page is kept, which limits the load on the store.
FRESH_SECONDS = 5.0
WAIT_SECONDS = 2.0
MOST_KEPT = 32


class PageCache:
    """Keeps the last rendering of each page for FRESH_SECONDS.

    A page differs by its language, and by the links at its top.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[tuple[str, bool, Hashable], tuple[float, int, bytes]] = {}

    def get(self, name: Hashable, generation: int, render: Callable[[], bytes]) -> bytes:
        """Return a page as of this generation; render it if it is not fresh.

        Raises StoreUnreachable if another thread renders for too long: one thread may wait for a
        slow store, and the others must not pile up behind it.
        """
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise StoreUnreachable
        try:
            key = language(), has_session(), name
            rendered_at, rendered_generation, page = self._pages.get(key, (0.0, -1, b""))
            is_fresh = time.monotonic() - rendered_at < FRESH_SECONDS
            if rendered_generation != generation or not is_fresh:
                page = render()
                self._pages.pop(key, None)
                while len(self._pages) >= MOST_KEPT:
                    del self._pages[next(iter(self._pages))]
                self._pages[key] = time.monotonic(), generation, page
            return page
        finally:
            self._lock.release()
