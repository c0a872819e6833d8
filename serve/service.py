"""The service: the way of one request, from inputs to an answer ready to send."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Literal

from db.answer import decode_answer, encode_answer, student_answer
from db.errors import VeilleuseError
from db.field import Inputs
from db.record import NewRecord
from db.settings import Settings
from db.store import Store

from .backlog import Backlog
from .catalog import Catalog, Served, load_catalog
from .load import Load, Signal
from .metrics import Metrics
from .shelf import Shelf

LOOK_SECONDS = 1.0
FLAT_DIGITS = 4

log = logging.getLogger("veilleuse.web")


class NoModelError(VeilleuseError):
    """The dataset has no model yet."""


class Service:
    """Answers from memory, from the store, and from the student, in that order."""

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.store = store
        self.shelf = Shelf(store)
        self.backlog = Backlog(store, settings.queue_entries)
        self.metrics = metrics
        self.load = Load()
        self._signal = Signal(store, self.load)
        self.draining = False
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        with store.reading() as connection:
            self.catalog: Catalog = load_catalog(connection, None, settings.cache_entries)

    def start(self) -> None:
        """Begin to look for changes and to write what is unseen."""
        self._watcher.start()
        self.backlog.start()
        self._signal.start()

    def close(self) -> None:
        """Stop looking and write what waits."""
        self._stop.set()
        self._signal.close()
        self.backlog.close()

    def answer(self, served: Served, raw: Mapping[str, object]) -> bytes:
        """Return the body for inputs; raises InputError, or NoModelError."""
        inputs = served.spec.read_inputs(raw)
        key = served.spec.key(inputs)
        memory = self.catalog.memory
        body = memory.get(served.id, key)
        if body is not None:
            self.metrics.count_answer(served.name, "memory")
            return body
        body = self.shelf.body(served.id, key)
        if body is not None:
            memory.put(served.id, key, body)
            self.metrics.count_answer(served.name, "teacher")
            return body
        body = self._ask_student(served, inputs, key)
        if self.shelf.is_up:
            memory.put(served.id, key, body, self.settings.student_ttl)
        self.metrics.count_answer(served.name, "student")
        return body

    def _ask_student(self, served: Served, inputs: Inputs, key: bytes) -> bytes:
        if served.student is None:
            raise NoModelError(
                f"{served.name} has no model yet; train one: python -m enrich train {served.name}"
            )
        enrichment: Literal["queued", "off"] = "off"
        if served.spec.remember and self.backlog.put(served.id, NewRecord(key, inputs)):
            enrichment = "queued"
        return encode_answer(
            student_answer(served.name, served.model, served.student, inputs, enrichment)
        )

    def flat_answer(self, served: Served, raw: Mapping[str, object]) -> dict[str, float]:
        """Return the probability of every label, as the flat route sends it."""
        answer = decode_answer(self.answer(served, raw))
        given = answer.probabilities or {}
        labels = sorted({*served.spec.labels, *given})
        return {label: round(given.get(label, 0.0), FLAT_DIGITS) for label in labels}

    def is_ready(self) -> str:
        """Return why this process should get no requests, "" where it should."""
        if self.draining:
            return "the process is ending"
        if not self.shelf.is_up:
            return "the store is out of reach"
        if self._watcher.ident is not None and not self._watcher.is_alive():
            return "the process no longer looks for what has changed"
        if not any(one.student for one in self.catalog.datasets.values()):
            return "there is no model yet; train one: python -m enrich train DATASET"
        return ""

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            generation = self.shelf.look()
            if generation is None or generation == self.catalog.generation:
                continue
            try:
                self.catalog = load_catalog(
                    self.shelf.lend(), self.catalog, self.settings.cache_entries
                )
            except Exception as error:  # noqa: BLE001  whatever is wrong there may be mended
                log.warning("generation %s cannot be read yet: %s", generation, error)
            else:
                log.info("serving generation %s", self.catalog.generation)
