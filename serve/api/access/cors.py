"""CORS: which other origins' pages may read responses."""

from __future__ import annotations

from collections.abc import Iterable

from serve.api.wsgi import Environ, Headers, StartResponse

ANY_ORIGIN = "*"
PREFLIGHT_SECONDS = "600"


class Cors:
    """The CORS headers of responses; none where no origin is allowed."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)
        self._fixed: Headers = []
        if ANY_ORIGIN in self._origins:
            self._fixed = [("Access-Control-Allow-Origin", ANY_ORIGIN)]
        elif self._origins:
            # Without it a proxy would give one origin's response to another.
            self._fixed = [("Vary", "Origin")]
        if self._origins:
            self._fixed.append(("Access-Control-Expose-Headers", "ETag, X-Request-Id"))

    def headers(self, origin: str | None) -> Headers:
        """Return the CORS headers of a response to that origin; None: not a request from a page."""
        if origin is None or ANY_ORIGIN in self._origins or origin not in self._origins:
            return self._fixed
        return [("Access-Control-Allow-Origin", origin), *self._fixed]

    def is_preflight(self, environ: Environ) -> bool:
        """Return True for a CORS preflight request."""
        return (
            environ["REQUEST_METHOD"] == "OPTIONS"
            and bool(self._origins)
            and "HTTP_ORIGIN" in environ
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )

    def answer_preflight(self, _environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a preflight with the allowed methods and headers; headers() adds the origin."""
        start_response(
            "204 No Content",
            [
                ("Access-Control-Allow-Methods", "GET, HEAD, POST"),
                ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id"),
                ("Access-Control-Max-Age", PREFLIGHT_SECONDS),
            ],
        )
        return []
