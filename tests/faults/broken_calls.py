"""An enricher that fails after its calls were made."""

from __future__ import annotations

from collections.abc import Sequence

from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.outcome import Outcome, Request


class FailsAfterCalls(Http):
    """Makes its calls, and loses their answers."""

    def perform(self, requests: Sequence[Request]) -> list[Outcome]:
        super().perform(requests)
        raise RuntimeError
