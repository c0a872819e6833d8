"""CORS: which pages of other origins may read what is answered."""

from __future__ import annotations

from collections.abc import Iterable

from .wsgi import Environ, Headers, StartResponse

ANYBODY = "*"
PREFLIGHT_SECONDS = "600"


class Cors:
    """What is said of origins: nothing where none is allowed."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)
        self._fixed: Headers = []
        if ANYBODY in self._origins:
            self._fixed = [("Access-Control-Allow-Origin", ANYBODY)]
        elif self._origins:
            # Or a proxy would give one origin's answer to another.
            self._fixed = [("Vary", "Origin")]
        if self._origins:
            self._fixed.append(("Access-Control-Expose-Headers", "ETag, X-Request-Id"))

    def headers(self, origin: str | None) -> Headers:
        """Return what every answer to a page of that origin says."""
        if origin is None or ANYBODY in self._origins or origin not in self._origins:
            return self._fixed
        return [("Access-Control-Allow-Origin", origin), *self._fixed]

    def is_preflight(self, environ: Environ) -> bool:
        """Tell whether a browser asks whether it may ask."""
        return (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and bool(self._origins)
            and "HTTP_ORIGIN" in environ
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )

    def answer_preflight(self, _environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Say what may be asked; the origin itself is answered as everywhere."""
        start_response(
            "204 No Content",
            [
                ("Access-Control-Allow-Methods", "GET, HEAD, POST"),
                ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id"),
                ("Access-Control-Max-Age", PREFLIGHT_SECONDS),
            ],
        )
        return []
