"""Admission: what a request must pass before it is answered, its Host and its client's limit."""

from __future__ import annotations

from db.settings import Settings
from serve.api.problem import Refusal
from serve.api.wsgi import Environ

from .api_keys import AccessControl
from .host_check import make_host_check
from .rate_limit import request_limit


class Admission:
    """Refuses requests for other hosts, and those of clients that make too many."""

    def __init__(self, settings: Settings, access: AccessControl) -> None:
        self._host_check = make_host_check(settings)
        self._limit = request_limit(settings.client_requests)
        self._access = access

    def find_refusal(self, environ: Environ) -> Refusal | None:
        """Return why a request is refused, None if it is not."""
        if self._host_check is None and self._limit is None:
            return None
        try:
            self._check(environ)
        except Refusal as refusal:
            return refusal
        return None

    def _check(self, environ: Environ) -> None:
        if self._host_check is not None:
            self._host_check.check(environ)
        if self._limit is not None:
            self._limit.check(self._access.client(environ))
