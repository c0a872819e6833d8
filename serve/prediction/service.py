"""The prediction service: from inputs to a response ready to send, without HTTP."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from db.errors import UnknownRow
from db.records.lookup import FoundRecord
from db.scoring.response_body import (
    Enrichment,
    decode_answer,
    decode_label,
    encode_answer,
    student_answer,
)
from db.settings import Settings
from db.spec.field import Inputs
from db.store.direct.direct_store import DirectStore
from db.traffic.prediction_counts import prediction_name
from db.traffic.requested_inputs import pack_requested
from serve.memory import loading
from serve.store_reader import StoreReader
from serve.telemetry.counters import RequestCounters

from .answer_recorder import AnswerRecorder
from .cache import CachedResponse
from .catalog import Catalog, Served, load_catalog
from .client_shares import ClientShares
from .request_recorder import RequestRecorder

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")

POLL_SECONDS = 1.0
FLAT_DIGITS = 4

log = logging.getLogger("veilleuse.web")


class PredictionService:
    """Answers from the response cache, from the store, and from the student, in that order.

    A student that is the teacher answers inputs before the store is read.
    """

    def __init__(self, store: DirectStore, settings: Settings) -> None:
        self.settings = settings
        self.store = store
        self.store_reader = StoreReader(store)
        self.counters = RequestCounters()
        shares = ClientShares(
            settings.waiting_records, settings.client_waiting_share, settings.web_concurrency
        )
        self.answers = AnswerRecorder(store, settings.answers_per_second)
        self.recorder = RequestRecorder(
            store, settings.queue_entries, settings.waiting_records, shares, self.answers.write
        )
        self.draining = False
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="generation-poller", daemon=True)
        with store.reading() as connection, loading():
            self.catalog: Catalog = load_catalog(connection, None, settings)

    def start(self) -> None:
        """Start polling the generation, and recording unseen inputs and answers."""
        self._poller.start()
        self.recorder.start()

    def close(self) -> None:
        """Stop polling, and write the unseen inputs and the answers that wait."""
        self._stop.set()
        if self._poller.is_alive():
            self._poller.join(POLL_SECONDS)
        self.recorder.close()
        self.answers.write()

    @property
    def reads_at_once(self) -> bool:
        """Whether the store is read without waiting: a file on this machine, on a quick disk.

        An answer that waits would hold up all others in the server's loop.
        """
        return self.store.is_local and not self.store_reader.is_slow

    def find_cached(self, address: str) -> CachedResponse | None:
        """Return the cached response to a request, by its address, without counting it."""
        return self.catalog.cache.get(address)

    def count_hit(self, cached: CachedResponse) -> None:
        """Count an answer that came from the response cache."""
        self._count(cached, "memory")

    def predict(
        self, served: Served, raw: Mapping[str, object], address: str = "", client: str = ""
    ) -> CachedResponse:
        """Return the response to inputs, and cache it under the address if there is one.

        The inputs may be a row id alone. Raises InputError, UnknownRow, or NoModelError.
        """
        # Taken before the store is read: what is read now must not outlive this generation.
        cache = self.catalog.cache
        response, seconds = self._respond(served, self.find(served, raw), client)
        if address and seconds:
            cache.put(address, response, seconds)
        self._count(response, response.source)
        return response

    def try_out(self, served: Served, found: FoundRecord, client: str) -> CachedResponse:
        """Return the response to inputs that a person tries, which is not counted."""
        return self._respond(served, found, client)[0]

    def predict_flat(
        self, served: Served, raw: Mapping[str, object], client: str, request_id: str
    ) -> dict[str, float]:
        """Return the probability of every label, as the flat route sends it."""
        response = self.predict(served, raw, client=client)
        self.answers.record(request_id, response)
        answer = decode_answer(response.body)
        probabilities = answer.probabilities or {}
        labels = sorted({*served.spec.labels, *probabilities})
        return {label: round(probabilities.get(label, 0.0), FLAT_DIGITS) for label in labels}

    def find(self, served: Served, raw: Mapping[str, object]) -> FoundRecord:
        """Return what a request asks for, by its inputs or by a row id alone.

        Raises InputError, UnknownRow, or StoreUnreachable.
        """
        if served.spec.is_row_id_alone(raw):
            return self.find_row(served, next(iter(raw.values())))
        inputs = served.spec.read_inputs(raw)
        key = served.spec.key(inputs)
        if served.is_final:
            return FoundRecord(key, inputs, None)
        return FoundRecord(key, inputs, self.store_reader.find_prediction(served.id, key))

    def find_inputs(self, served: Served, raw: Mapping[str, object]) -> Inputs:
        """Return the inputs of a request, or those of the row whose id it gives alone.

        Raises InputError, UnknownRow, or StoreUnreachable.
        """
        if served.spec.is_row_id_alone(raw):
            return self.find_row(served, next(iter(raw.values()))).inputs
        return served.spec.read_inputs(raw)

    def find_row(self, served: Served, raw_id: object) -> FoundRecord:
        """Return the record of a row; raises InputError, UnknownRow, or StoreUnreachable."""
        row_id = served.spec.read_row_id(raw_id)
        row = self.store_reader.find_row(served.id, row_id)
        if row is None:
            raise UnknownRow(
                f"{served.name} has no row with the {served.spec.id} {row_id!r}; import it, or ask"
                f" with the values of its fields"
            )
        return row

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction for a request.

        Raises StoreUnreachable, at once while the store is down, and SQLAlchemy's errors.
        """
        self.store_reader.require_up()
        return self.store.pooled.write(work)

    def _respond(
        self, served: Served, found: FoundRecord, client: str
    ) -> tuple[CachedResponse, float]:
        """Return a response from the store or the student, and the seconds that it stays valid."""
        body, key = found.body, found.key
        if body is not None:
            return make_response(served, key, body, decode_label(body)), float("inf")
        response = self._ask_student(served, found, client)
        return response, self.valid_seconds(served)

    def valid_seconds(self, served: Served) -> float:
        """Return how long a student's answer stays valid: forever if no other will come."""
        if served.is_final:
            return float("inf")
        return self.settings.student_ttl if self.store_reader.is_up else 0.0

    def _count(self, response: CachedResponse, came_from: str) -> None:
        self.counters.count_answer(
            response.dataset_id,
            response.dataset,
            came_from,
            response.source,
            response.prediction,
        )

    def _ask_student(self, served: Served, found: FoundRecord, client: str) -> CachedResponse:
        student = served.require_student()
        enrichment = self.record_unseen(served, found, client)
        answer = student_answer(served.name, served.model, student, found.inputs, enrichment)
        body = encode_answer(answer)
        return make_response(served, found.key, body, answer.prediction, answer.source)

    def record_unseen(self, served: Served, found: FoundRecord, client: str) -> Enrichment:
        """Record inputs for the workers, if they have anything to do for them."""
        if served.is_final:
            return "done"
        if not served.spec.remember:
            return "off"
        requested = pack_requested(found.key, found.inputs)
        return "queued" if self.recorder.put(served.id, requested, client) else "off"

    def why_not_ready(self) -> str:
        """Return why this process should get no requests, "" where it should."""
        if self.draining:
            return "the process is ending"
        if not self.store_reader.is_answering:
            return "the store cannot be reached"
        if self._poller.ident is not None and not self._poller.is_alive():
            return "the process no longer polls the store for changes; restart it"
        if self.recorder.has_died:
            return "the process no longer writes unseen inputs; restart it"
        if not any(one.student for one in self.catalog.datasets.values()):
            return "there is no model yet; train one: python -m enrich train DATASET"
        return ""

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self._follow_generation()
            except Exception as error:  # noqa: BLE001  the next generation may be readable
                reason = " ".join(str(error).split())
                log.warning("the store's changes cannot be read yet: %s", reason)

    def _follow_generation(self) -> None:
        """Load the catalog again if the store's generation has changed."""
        generation = self.store_reader.poll_generation()
        if generation is None or generation == self.catalog.generation:
            return
        with self.store_reader.reading_directly() as connection, loading():
            self.catalog = load_catalog(connection, self.catalog, self.settings)
        log.info("serving generation %s", self.catalog.generation)


def make_response(
    served: Served, key: bytes, body: bytes, prediction: str | float, source: str = "teacher"
) -> CachedResponse:
    """Return the response with a body, for inputs with a key."""
    name = prediction_name(prediction)
    recorded = key if served.spec.remember else b""
    return CachedResponse(body, tag_of(body), served.id, served.name, source, name, recorded)


def tag_of(body: bytes) -> str:
    """Return a body's entity tag."""
    return f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
