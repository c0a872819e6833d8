"""The answer recorder keeps a sample of the answers in the store, written behind the answers."""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from functools import partial
from typing import NamedTuple

from db.scoring.response_body import decode_answer
from db.store.direct.direct_store import DirectStore
from db.store.direct.errors import error_name, is_refusal
from db.traffic.served_answers import ServedAnswer, write_answers

from .cache import CachedResponse

# Answers that wait while the store is down: about half a MiB.
MOST_WAITING = 1000

log = logging.getLogger("veilleuse.web")


class _Given(NamedTuple):
    """An answer as the request's thread leaves it; `item` is its place in a batch, else -1."""

    request_id: str
    item: int
    response: CachedResponse
    made_at: float


class AnswerRecorder:
    """Keeps up to `per_second` answers a second, so that labels which come later can judge them.

    An answer never waits for it. Once a second's allowance is used up, an answer costs one
    comparison of integers and is counted as skipped. The thread of the request recorder calls
    `write` every second. That gives the allowance of the next second, less while the store is down
    and answers wait; so what waits is bounded.
    """

    def __init__(self, store: DirectStore, per_second: int) -> None:
        self._store = store
        self._per_second = per_second
        self._allowance = per_second
        self._given: deque[_Given] = deque()
        # What waits to be written, by dataset id.
        self._waiting: defaultdict[int, list[ServedAnswer]] = defaultdict(list)
        self.skipped = 0
        self.refused = 0

    @property
    def has_room(self) -> bool:
        """Whether this second has room for another answer."""
        return self._allowance > 0

    def record(self, request_id: str, response: CachedResponse, item: int = -1) -> None:
        """Keep an answer if this second has room for it.

        `item` is its place in a batch, whose items have the ids `REQUEST-ID/0` and so on.
        """
        if self._allowance <= 0:
            self.skipped += 1
            return
        # A dataset that remembers nothing has answers without a key.
        if response.key:
            self._allowance -= 1
            self._given.append(_Given(request_id, item, response, time.time()))

    def write(self) -> None:
        """Write the answers that wait, and give the next second's allowance.

        It never raises. What cannot be written now waits for the next time.
        """
        try:
            self._unpack()
            for dataset_id in sorted(self._waiting):
                self._write_dataset(dataset_id, self._waiting[dataset_id])
        except Exception:
            # The thread must survive any error, or all later inputs and answers would be lost.
            log.exception("answers cannot be recorded now")
        waiting = sum(map(len, self._waiting.values()))
        self._allowance = min(self._per_second, max(MOST_WAITING - waiting, 0))

    def _unpack(self) -> None:
        while self._given:
            given = self._given.popleft()
            self._waiting[given.response.dataset_id].append(_unpacked(given))

    def _write_dataset(self, dataset_id: int, answers: list[ServedAnswer]) -> None:
        try:
            self._store.write(partial(write_answers, dataset_id=dataset_id, answers=answers))
        except Exception as error:  # noqa: BLE001  another dataset's can perhaps be written
            if not is_refusal(error):
                log.debug("answers cannot be recorded now: %s", error_name(error))
                return
            # As a rule the dataset has been dropped, and waiting would not help.
            log.warning("the store refuses answers: %s", error_name(error))
            self.refused += len(answers)
        del self._waiting[dataset_id]


def _unpacked(given: _Given) -> ServedAnswer:
    """Read what is kept of an answer from the body of its response."""
    answer = decode_answer(given.response.body)
    prediction, probabilities = answer.prediction, answer.probabilities
    if isinstance(prediction, str):
        score = probabilities.get(prediction) if isinstance(probabilities, dict) else None
    else:
        score = float(prediction)
    return ServedAnswer(
        request_id=given.request_id if given.item < 0 else f"{given.request_id}/{given.item}",
        key=given.response.key,
        prediction=prediction if isinstance(prediction, str) else repr(float(prediction)),
        score=score,
        source=answer.source,
        model_version=version_of(answer.model),
        made_at=given.made_at,
    )


def version_of(model: str) -> int:
    """Return the number of a version such as intents@3."""
    return int(model.rpartition("@")[2])
