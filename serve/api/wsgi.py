"""Types of WSGI, and what the server passes to the application in its environ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
Headers: TypeAlias = list[tuple[str, str]]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

# How many seconds a request has waited for a thread.
WAITED = "veilleuse.waited_seconds"
# The cached response that the server's loop has found already.
CACHED = "veilleuse.cached_response"
