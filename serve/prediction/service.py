"""The service: the way of one request, from inputs to an answer ready to send."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from typing import Literal

from db.scoring.response_body import decode_answer, encode_answer, student_answer
from db.settings import Settings
from db.spec.field import Inputs
from db.store.engine import Store
from db.traffic.prediction_counts import prediction_name
from db.traffic.requested import pack_requested
from serve.api.cors import Cors
from serve.api.keys import AccessControl
from serve.api.query import read_query
from serve.malloc import give_back
from serve.store_reader import StoreReader
from serve.telemetry.counters import RequestCounters

from .cache import CachedResponse
from .catalog import Catalog, NoModelError, Served, load_catalog
from .request_recorder import RequestRecorder

LOOK_SECONDS = 1.0
FLAT_DIGITS = 4
# Longer ones are rare, and would push many others out of memory.
MOST_QUERY = 2000

log = logging.getLogger("veilleuse.web")


class Service:
    """Answers from memory, from the store, and from the student, in that order."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.settings = settings
        self.store = store
        self.store_reader = StoreReader(store)
        self.counters = RequestCounters()
        self.recorder = RequestRecorder(store, settings.queue_entries, settings.waiting_records)
        self.access = AccessControl(settings.read_keys, settings.api_keys)
        self.cors = Cors(settings.cors_origins)
        self.draining = False
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        with store.reading() as connection:
            self.catalog: Catalog = load_catalog(connection, None, settings)
        give_back()

    def start(self) -> None:
        """Begin to look for changes and to write what is unseen."""
        self._watcher.start()
        self.recorder.start()

    def close(self) -> None:
        """Stop looking and write what waits."""
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join(LOOK_SECONDS)
        self.recorder.close()

    def cache_control(self, cached: CachedResponse) -> str:
        """Return for how long an answer may be kept by others, and by whom."""
        seconds = self.settings.max_age
        if cached.source == "student":
            seconds = min(seconds, int(self.settings.student_ttl))
        whose = "public" if self.access.is_open else "private"
        return f"{whose}, max-age={seconds}" if seconds else "no-cache"

    def answers_at_once(self, path: str, query: str) -> bool:
        """Tell whether a prediction needs nothing but memory, or a file on this machine."""
        if len(query) > MOST_QUERY or not is_prediction(path):
            return False
        return self.store.is_local or self.catalog.cache.get(f"{path}?{query}") is not None

    def predict(self, path: str, query: str) -> CachedResponse:
        """Return the answer to a GET under /predict; raises as `find`, `match` and `answer` do."""
        address = f"{path}?{query}" if len(query) <= MOST_QUERY else ""
        cached = self.catalog.cache.get(address)
        if cached is not None:
            self._count(cached, "memory")
            return cached
        given = read_query(query)
        return self.answer(self.catalog.called(path, given), given, address)

    def answer(
        self, served: Served, raw: Mapping[str, object], address: str = ""
    ) -> CachedResponse:
        """Return the answer to inputs, and remember it by how they were asked for.

        Raises InputError, or NoModelError.
        """
        inputs = served.spec.read_inputs(raw)
        # Taken before the store is read: what is read now must not outlive this generation.
        cache = self.catalog.cache
        cached, seconds = self._find(served, inputs, served.spec.key(inputs))
        if address and seconds:
            cache.put(address, cached, seconds)
        self._count(cached, cached.source)
        return cached

    def try_out(self, served: Served, raw: Mapping[str, object]) -> CachedResponse:
        """Return the answer to inputs that a person tries: it counts as none that was asked for."""
        inputs = served.spec.read_inputs(raw)
        return self._find(served, inputs, served.spec.key(inputs))[0]

    def _find(self, served: Served, inputs: Inputs, key: bytes) -> tuple[CachedResponse, float]:
        """Return an answer from the store or the student, and for how many seconds it holds."""
        body = self.store_reader.body(served.id, key)
        if body is not None:
            return _cached_response(served, body, "teacher", decode_answer(body).prediction), float(
                "inf"
            )
        cached = self._ask_student(served, inputs, key)
        return cached, self.settings.student_ttl if self.store_reader.is_up else 0.0

    def _count(self, cached: CachedResponse, came_from: str) -> None:
        self.counters.count_answer(
            cached.dataset_id, cached.dataset, came_from, cached.source, cached.prediction
        )

    def _ask_student(self, served: Served, inputs: Inputs, key: bytes) -> CachedResponse:
        if served.student is None:
            raise NoModelError(
                f"{served.model} is damaged; activate another, or train anew:"
                f" python -m enrich train {served.name}"
                if served.model
                else f"{served.name} has no model yet; train one:"
                f" python -m enrich train {served.name}"
            )
        enrichment: Literal["queued", "off"] = "off"
        if served.spec.remember and self.recorder.put(served.id, pack_requested(key, inputs)):
            enrichment = "queued"
        answer = student_answer(served.name, served.model, served.student, inputs, enrichment)
        return _cached_response(served, encode_answer(answer), "student", answer.prediction)

    def flat_answer(self, served: Served, raw: Mapping[str, object]) -> dict[str, float]:
        """Return the probability of every label, as the flat route sends it."""
        answer = decode_answer(self.answer(served, raw).body)
        given = answer.probabilities or {}
        labels = sorted({*served.spec.labels, *given})
        return {label: round(given.get(label, 0.0), FLAT_DIGITS) for label in labels}

    def is_ready(self) -> str:
        """Return why this process should get no requests, "" where it should."""
        if self.draining:
            return "the process is ending"
        if not self.store_reader.is_up:
            return "the store is out of reach"
        if self._watcher.ident is not None and not self._watcher.is_alive():
            return "the process no longer looks for what has changed"
        if not any(one.student for one in self.catalog.datasets.values()):
            return "there is no model yet; train one: python -m enrich train DATASET"
        return ""

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            generation = self.store_reader.poll_generation()
            if generation is None or generation == self.catalog.generation:
                continue
            try:
                self.catalog = load_catalog(
                    self.store_reader.connection(), self.catalog, self.settings
                )
            except Exception as error:  # noqa: BLE001  whatever is wrong there may be mended
                log.warning("generation %s cannot be read yet: %s", generation, error)
            else:
                log.info("serving generation %s", self.catalog.generation)
                give_back()


def is_prediction(path: str) -> bool:
    """Tell whether a path asks for predictions."""
    return path == "/predict" or path.startswith("/predict/")


def _cached_response(
    served: Served, body: bytes, source: str, prediction: str | float
) -> CachedResponse:
    name = prediction_name(prediction)
    return CachedResponse(body, tag_of(body), served.id, served.name, source, name)


def tag_of(body: bytes) -> str:
    """Return a body's entity tag."""
    return f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
