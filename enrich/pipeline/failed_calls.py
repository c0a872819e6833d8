"""Calls of a step that failed: which and why, and whether the service is at fault.

Each worker has its own memory of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.records.record import Record
from enrich.enrichers.http.circuit_breaker import CircuitBreaker
from enrich.enrichers.http.outcome import Failed
from enrich.enrichers.http.reply import short_reason

# The oldest are forgotten first. A reason has about 200 characters.
MOST_REQUESTS = 4000


@dataclass
class _FailedRequest:
    """A request that failed, and the records that have failed with it."""

    reason: str
    record_ids: set[int]


class FailedCalls:
    """What failed calls leave: their reasons by the hash of the request, and the circuit."""

    def __init__(self) -> None:
        self.breaker = CircuitBreaker()
        self._requests: dict[str, _FailedRequest] = {}

    def remember(self, asked: str, answer: Failed, records: Sequence[Record]) -> None:
        """Remember why a request failed, by its hash, and the records that wait for it."""
        ids = {record.id for record in records}
        self._requests[asked] = _FailedRequest(short_reason(answer.reason), ids)
        if len(self._requests) > MOST_REQUESTS:
            del self._requests[next(iter(self._requests))]

    def open_circuit(self) -> list[int]:
        """Open the circuit, forget its failures, and return the records charged with them."""
        for asked in self.breaker.failing():
            self._requests.pop(asked, None)
        return self.breaker.open()

    def reason(self, asked: str, record_id: int) -> str:
        """Return why the same request has failed for another record, "" if it has not.

        A record that comes again was released from quarantine: then the call is made again.
        """
        known = self._requests.get(asked)
        if known is None:
            return ""
        if record_id in known.record_ids:
            del self._requests[asked]
            return ""
        known.record_ids.add(record_id)
        return known.reason
