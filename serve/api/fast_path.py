"""The fast path: plain GETs for predictions, answered without Bottle.

Bottle's dispatch and its request and response objects cost 60 µs a request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from db.errors import VeilleuseError
from db.settings import Settings
from serve.prediction.batch import BatchPredictor, SingleRequest
from serve.prediction.cache import CachedResponse
from serve.prediction.catalog import Catalog, Served
from serve.prediction.service import PredictionService

from .access.api_keys import AccessControl
from .query import read_query
from .wsgi import CACHED, Environ

PREDICT = "/predict"
# Longer queries are rare, and would push many others out of the response cache.
MOST_QUERY_CHARACTERS = 2000

T = TypeVar("T")

log = logging.getLogger("veilleuse.request")


class PlainRequest(NamedTuple):
    """A GET under /predict of a client that may read, without anything special."""

    client: str
    path: str
    query: str


class FastPath:
    """Answers a GET under /predict as the views do, for requests that want nothing special."""

    def __init__(self, service: PredictionService, access: AccessControl) -> None:
        self._service = service
        self._access = access

    def answer(self, environ: Environ) -> CachedResponse | None:
        """Return the response to a plain request for a prediction, None for all others.

        A request with an error gets None too: the view then says what is wrong with it.
        """
        return self.guarded(partial(self._answer, environ))

    def _answer(self, environ: Environ) -> CachedResponse | None:
        if not self._is_plain(environ):
            return None
        if CACHED in environ:
            hit: CachedResponse = environ[CACHED]
            self._service.count_hit(hit)
            return hit
        client = partial(self._access.client, environ)
        return predict(self._service, environ["PATH_INFO"], environ["QUERY_STRING"], client)

    def answer_together(self, requests: Sequence[PlainRequest]) -> list[CachedResponse | None]:
        """Return the responses to plain requests that have come together.

        Each step is taken for all of them before the next one, so that its code and data stay in
        the processor's caches. None stands for an error, and for an answer that would have to wait
        for the store, because it is on another machine or slow.
        """
        addresses = [_address(one.path, one.query) for one in requests]
        responses = [_find_hit(self._service, address) for address in addresses]
        missed = [at for at, response in enumerate(responses) if response is None]
        for served, waiting in self._by_dataset(
            {at: (requests[at], addresses[at]) for at in missed}
        ):
            respond = partial(BatchPredictor(self._service, served).respond, [*waiting.values()])
            for at, response in zip(waiting, self.guarded(respond) or (), strict=False):
                responses[at] = response
        return responses

    def _by_dataset(
        self, requests: Mapping[int, tuple[PlainRequest, str]]
    ) -> Iterable[tuple[Served, dict[int, SingleRequest]]]:
        """Return each dataset with the requests for it that can be answered at once.

        Requests are given with their addresses in the response cache.
        """
        catalog, reads_at_once = self._service.catalog, self._service.reads_at_once
        found: dict[int, tuple[Served, dict[int, SingleRequest]]] = {}
        for at, addressed in requests.items():
            read = self.guarded(partial(_read, catalog, *addressed))
            if read is None:
                continue
            served, single = read
            if reads_at_once or served.needs_no_store(single.raw):
                found.setdefault(served.id, (served, {}))[1][at] = single
        return found.values()

    def guarded(self, answer: Callable[[], T]) -> T | None:
        """Return an answer, None after an error.

        An error that nobody expected is counted and logged: otherwise it would only show as
        slowness.
        """
        try:
            return answer()
        except VeilleuseError:
            return None
        except Exception:
            log.exception("the fast path failed; the view answers")
            self._service.counters.count_fast_path_error()
            return None

    def record(self, request_id: str, response: CachedResponse) -> None:
        """Keep an answer, if there is room for it, so that a later label can judge it."""
        self._service.answers.record(request_id, response)

    def _is_plain(self, environ: Environ) -> bool:
        return (
            environ["REQUEST_METHOD"] == "GET"
            and is_prediction(environ["PATH_INFO"])
            and "HTTP_IF_NONE_MATCH" not in environ
            and "HTTP_ORIGIN" not in environ
            and self._access.may_read(environ)
        )

    def find_immediate(self, path: str, query: str) -> CachedResponse | bool:
        """Return whether a prediction needs only memory, or a file on this machine.

        Where the store is on another machine, or slow, that is a cached response, which is then
        returned, so that it is looked up once.
        """
        if not is_prediction(path) or len(query) > MOST_QUERY_CHARACTERS:
            return False
        if self._service.reads_at_once:
            return True
        return self._service.find_cached(_address(path, query)) or False


def predict(
    service: PredictionService, path: str, query: str, client: Callable[[], str]
) -> CachedResponse:
    """Return the response to a GET under /predict; `client` is asked only if it is not cached.

    Raises InputError, UnknownDataset, or NoModelError.
    """
    address = _address(path, query)
    hit = _find_hit(service, address)
    if hit is not None:
        return hit
    fields = read_query(query)
    return service.predict(find_served(service.catalog, path, fields), fields, address, client())


def _read(catalog: Catalog, request: PlainRequest, address: str) -> tuple[Served, SingleRequest]:
    """Return the dataset of a request, and its inputs; raises InputError or UnknownDataset."""
    fields = read_query(request.query)
    served = find_served(catalog, request.path, fields)
    return served, SingleRequest(fields, request.client, address)


def _find_hit(service: PredictionService, address: str) -> CachedResponse | None:
    """Return the cached response to a request, which is then counted."""
    cached = service.find_cached(address) if address else None
    if cached is not None:
        service.count_hit(cached)
    return cached


def find_served(catalog: Catalog, path: str, fields: dict[str, str]) -> Served:
    """Return the dataset that a path names, or the one dataset that has these fields."""
    return catalog.match(fields) if path == PREDICT else catalog.find(path[len(PREDICT) + 1 :])


def _address(path: str, query: str) -> str:
    """Return the key of a request in the response cache, "" where it is not cached."""
    return f"{path}?{query}" if len(query) <= MOST_QUERY_CHARACTERS else ""


def is_prediction(path: str) -> bool:
    """Return whether a path asks for predictions."""
    return path == PREDICT or path.startswith(f"{PREDICT}/")


def route_of(path: str) -> str:
    """Return the route's pattern, as counters name it."""
    return PREDICT if path == PREDICT else f"{PREDICT}/<name>"


def cache_control_values(settings: Settings, *, is_open: bool) -> dict[str, str]:
    """Return the Cache-Control of predictions, by their source: teacher or student."""
    whose = "public" if is_open else "private"
    seconds = {
        "teacher": settings.max_age,
        "student": min(settings.max_age, int(settings.student_ttl)),
    }
    return {
        source: f"{whose}, max-age={value}" if value else "no-cache"
        for source, value in seconds.items()
    }
