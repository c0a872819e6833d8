"""Calls of a step that failed: which, why, and how many in a row; each worker has its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.records.record import Record
from enrich.enrichers.http.outcome import Answered, Failed, Outcome
from enrich.enrichers.http.reply import short_reason

# The oldest are forgotten first. A reason has about 200 characters.
MOST_REQUESTS = 4000


@dataclass
class _FailedRequest:
    """A request that failed, and the records that have failed with it."""

    reason: str
    record_ids: set[int]


class FailedCalls:
    """What failed calls leave: their reasons by the hash of the request, and how many in a row."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self.last_reason = ""
        self._requests: dict[str, _FailedRequest] = {}

    def note(self, answers: Mapping[str, Outcome], waiting: Mapping[str, Sequence[Record]]) -> None:
        """Remember the outcomes of calls, which records wait for, by the hash of the request."""
        for asked, answer in answers.items():
            self._note(asked, answer, waiting[asked])

    def _note(self, asked: str, answer: Outcome, records: Sequence[Record]) -> None:
        """Remember an outcome; Later says nothing about the request."""
        if isinstance(answer, Answered):
            self.in_a_row = 0
        elif isinstance(answer, Failed):
            self.in_a_row += 1
            self.last_reason = short_reason(answer.reason)
            ids = {record.id for record in records}
            self._requests[asked] = _FailedRequest(self.last_reason, ids)
            if len(self._requests) > MOST_REQUESTS:
                del self._requests[next(iter(self._requests))]

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
