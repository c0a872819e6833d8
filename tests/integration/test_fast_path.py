"""The fast path answers plain predictions itself, and falls back to the view."""

from __future__ import annotations

from typing import Any

import pytest

from db.store.store import Store
from serve.api.middleware import RequestMiddleware
from serve.api.wsgi import CACHED, Environ
from serve.prediction.cache import CachedResponse, ResponseCache
from serve.prediction.service import PredictionService
from tests.conftest import settings_for
from tests.wsgi import app_of, environ_of

from .conftest import Site, query

PATH = "/predict/intents"
QUERY = query(sentence="je cherche un hôtel")


@pytest.fixture
def service(site: Site) -> PredictionService:
    """Return a prediction service on a trained store."""
    return PredictionService(site.store, settings_for(site.url))


@pytest.fixture
def app(service: PredictionService) -> RequestMiddleware:
    """Return the application of that service."""
    return app_of(service)


def environ(**more: Any) -> Environ:  # noqa: ANN401  WSGI values have any type
    """Return the environ of a plain GET for a prediction."""
    return environ_of(f"{PATH}?{QUERY}", **more)


def get(app: RequestMiddleware, request: Environ) -> tuple[str, bytes]:
    """Return the status and the body of a response."""
    statuses: list[str] = []
    body = b"".join(app(request, lambda status, *_: statuses.append(status)))
    return statuses[-1], body


def test_an_error_on_the_fast_path_is_logged_and_counted_and_the_view_answers(
    app: RequestMiddleware,
    service: PredictionService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise a bug there would only show as slowness."""

    def fail(*_: object) -> CachedResponse:
        raise RuntimeError("a bug")

    monkeypatch.setattr("serve.api.fast_path.predict", fail)
    status, body = get(app, environ())
    assert status == "200 OK"
    assert b'"dataset":"intents"' in body
    assert service.counters.counts().fast_path_errors == 1
    assert "the fast path failed" in caplog.text
    assert "RuntimeError: a bug" in caplog.text


def test_a_bad_request_is_not_a_fast_path_error(
    app: RequestMiddleware, service: PredictionService
) -> None:
    """The view says which field is wrong."""
    status, body = get(app, environ(QUERY_STRING="colour=red"))
    assert status.startswith("400")
    assert b"colour" in body
    assert service.counters.counts().fast_path_errors == 0


def test_a_response_that_the_event_loop_has_found_is_not_looked_up_again(
    app: RequestMiddleware, service: PredictionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a store on another machine the loop answers what is cached, and nothing else."""
    monkeypatch.setattr(Store, "is_local", False)
    assert app.find_immediate("GET", PATH, QUERY) is False
    _, first = get(app, environ())
    cached = app.find_immediate("GET", PATH, QUERY)
    assert isinstance(cached, CachedResponse)
    monkeypatch.setattr(ResponseCache, "get", None)
    assert get(app, environ(**{CACHED: cached})) == ("200 OK", first)
    assert service.counters.counts().answers["intents", "memory"] == 1


def test_after_a_slow_read_of_the_store_the_event_loop_reads_no_more(
    app: RequestMiddleware, service: PredictionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs would hold up all connections; threads wait for it, for a second."""
    plain = app.plain_requests
    assert plain.answer("127.0.0.1", PATH, QUERY)
    assert app.find_immediate("GET", PATH, QUERY) is True
    monkeypatch.setattr("serve.store_reader.SLOW_SECONDS", -1.0)
    unseen = query(sentence="un tout autre hôtel")
    assert plain.answer("127.0.0.1", PATH, unseen)
    another = query(sentence="encore un autre hôtel")
    assert plain.answer("127.0.0.1", PATH, another) is None
    assert app.find_immediate("GET", PATH, another) is False
    # What is cached needs no store.
    assert plain.answer("127.0.0.1", PATH, unseen)
    monkeypatch.setattr("serve.store_reader.REMEMBERED_SECONDS", 0.0)
    service.store_reader.poll_generation()
    assert plain.answer("127.0.0.1", PATH, another)
