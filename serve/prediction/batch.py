"""Predictions for many inputs of one dataset, the same as for each of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from db.errors import InputError, UnknownRow
from db.records.lookup import FoundRecord
from db.scoring.response_body import Answer, decode_label, encode_answer, student_answers
from db.spec.field import Inputs
from db.traffic.prediction_counts import prediction_name

from .cache import CachedResponse
from .catalog import Served
from .service import PredictionService, make_response

# What is wrong with one item, while the others are answered.
ItemError: TypeAlias = InputError | UnknownRow
Item: TypeAlias = Mapping[str, Any] | InputError


class BatchAnswer(NamedTuple):
    """An answer ready to send; `source` is teacher or student."""

    found: FoundRecord
    body: bytes
    prediction: str | float
    source: str


class SingleRequest(NamedTuple):
    """The raw inputs of a request for one prediction, its client, and its address in the cache."""

    raw: Mapping[str, Any]
    client: str
    address: str


class BatchPredictor:
    """Answers many inputs together, of one request or of several.

    Each step is taken for all of them before the next one: they are looked up by one statement,
    scored by a few trees after the others, and counted under one lock.
    """

    def __init__(self, service: PredictionService, served: Served) -> None:
        self._service = service
        self._served = served

    def answer(self, items: Sequence[Item], client: str) -> list[BatchAnswer | ItemError]:
        """Return the answer to each item, which may be a row id alone, or what is wrong with it.

        Raises NoModelError or StoreUnreachable.
        """
        return self._answer(items, [client] * len(items))

    def predict(self, rows: Sequence[Inputs], client: str) -> list[BatchAnswer]:
        """Return the answers to inputs in normal form; raises NoModelError."""
        return self._predict([(one, client) for one in self._look_up(rows)])

    def respond(self, requests: Sequence[SingleRequest]) -> list[CachedResponse | None]:
        """Return the responses to single requests, None for one with an error, and cache them.

        Raises NoModelError or StoreUnreachable, and for one alone what its error is.
        """
        if len(requests) == 1:
            # Lists of one would cost it a sixth of its time.
            raw, client, address = requests[0]
            return [self._service.predict(self._served, raw, address, client)]
        # Taken before the store is read: what is read now must not outlive this generation.
        cache = self._service.catalog.cache
        answers = self._answer([one.raw for one in requests], [one.client for one in requests])
        # Afterwards: the read may have found that the store is down.
        fresh_seconds = self._service.valid_seconds(self._served)
        responses: list[CachedResponse | None] = []
        for request, answer in zip(requests, answers, strict=True):
            if not isinstance(answer, BatchAnswer):
                responses.append(None)
                continue
            response = self._response(answer)
            seconds = fresh_seconds if answer.found.body is None else float("inf")
            if request.address and seconds:
                cache.put(request.address, response, seconds)
            responses.append(response)
        return responses

    def record(self, answers: Sequence[BatchAnswer | ItemError], request_id: str) -> None:
        """Keep those answers to a request's items for which this second has room."""
        recorder = self._service.answers
        for item, answer in enumerate(answers):
            if not isinstance(answer, BatchAnswer):
                continue
            if recorder.has_room:
                recorder.record(request_id, self._response(answer), item)
            else:
                recorder.skipped += 1

    def _answer(
        self, items: Sequence[Item], clients: Sequence[str]
    ) -> list[BatchAnswer | ItemError]:
        found = self._find(items)
        asked = [
            (one, client)
            for one, client in zip(found, clients, strict=True)
            if isinstance(one, FoundRecord)
        ]
        answers = iter(self._predict(asked))
        return [next(answers) if isinstance(one, FoundRecord) else one for one in found]

    def _find(self, items: Sequence[Item]) -> list[FoundRecord | ItemError]:
        """Return the inputs and stored bodies that the items ask for."""
        read = [self._read(item) for item in items]
        found = iter(self._look_up([one for one in read if isinstance(one, dict)]))
        return [next(found) if isinstance(one, dict) else one for one in read]

    def _read(self, item: Item) -> Inputs | FoundRecord | ItemError:
        """Return the inputs in an item, or the record whose row id it gives alone."""
        if isinstance(item, InputError):
            return item
        served = self._served
        try:
            if served.spec.is_row_id_alone(item):
                return self._service.find_row(served, next(iter(item.values())))
            return served.spec.read_inputs(item)
        except (InputError, UnknownRow) as error:
            return error

    def _look_up(self, rows: Sequence[Inputs]) -> list[FoundRecord]:
        served = self._served
        if served.is_final:
            # Only the few answers that are kept need the key.
            return [FoundRecord(b"", inputs, None) for inputs in rows]
        keys = list(map(served.spec.key, rows))
        bodies = self._service.store_reader.find_predictions(served.id, keys)
        each = zip(keys, rows, strict=True)
        return [FoundRecord(key, inputs, bodies.get(key)) for key, inputs in each]

    def _predict(self, asked: Sequence[tuple[FoundRecord, str]]) -> list[BatchAnswer]:
        """Return the answers to what each client asks."""
        unseen = [(one, client) for one, client in asked if one.body is None]
        fresh = iter(self._ask_student(unseen)) if unseen else iter(())
        answers = [
            _fresh(one, next(fresh)) if one.body is None else _stored(one, one.body)
            for one, _ in asked
        ]
        self._count(answers)
        return answers

    def _ask_student(self, unseen: Sequence[tuple[FoundRecord, str]]) -> list[Answer]:
        served = self._served
        student = served.require_student()
        enrichments = [self._service.record_unseen(served, *one) for one in unseen]
        inputs = [one.inputs for one, _ in unseen]
        return student_answers(served.name, served.model, student, inputs, enrichments)

    def _count(self, answers: Sequence[BatchAnswer]) -> None:
        counts = Counter(_counted(answers))
        self._service.counters.count_answers(self._served.id, self._served.name, counts)

    def _response(self, answer: BatchAnswer) -> CachedResponse:
        """Return an answer in the form of a single one."""
        key = answer.found.key or self._served.spec.key(answer.found.inputs)
        return make_response(self._served, key, answer.body, answer.prediction, answer.source)


def _stored(found: FoundRecord, body: bytes) -> BatchAnswer:
    return BatchAnswer(found, body, decode_label(body), "teacher")


def _fresh(found: FoundRecord, answer: Answer) -> BatchAnswer:
    return BatchAnswer(found, encode_answer(answer), answer.prediction, answer.source)


def _counted(answers: Sequence[BatchAnswer]) -> Iterator[tuple[str, str]]:
    """Yield the source and the name of each prediction."""
    names: dict[str, str] = {}
    for answer in answers:
        prediction = answer.prediction
        text = prediction if isinstance(prediction, str) else f"{prediction:.0e}"
        name = names.get(text)
        if name is None:
            # Numbers of one text have one name.
            name = names[text] = prediction_name(prediction)
        yield answer.source, name
