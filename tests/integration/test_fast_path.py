"""The fast path answers plain predictions itself, and falls back to the view."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from db.scoring.student import Student
from serve.api.fast_path import FastPath, PlainRequest
from serve.api.middleware import RequestMiddleware
from serve.api.plain_requests import MOST_TOGETHER
from serve.api.wsgi import CACHED, Environ
from serve.prediction.cache import CachedResponse, ResponseCache
from serve.prediction.service import PredictionService
from tests.conftest import ROOT, settings_for
from tests.direct import direct_store
from tests.wsgi import app_of, environ_of

from .conftest import Site, query

PATH = "/predict/intents"
QUERY = query(sentence="je cherche un hôtel")


@pytest.fixture
def service(site: Site) -> PredictionService:
    """Return a prediction service on a trained store."""
    return PredictionService(direct_store(site.store), settings_for(site.url))


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
    monkeypatch.setattr(PredictionService, "reads_at_once", False)
    assert app.find_immediate("GET", PATH, QUERY) is False
    _, first = get(app, environ())
    cached = app.find_immediate("GET", PATH, QUERY)
    assert isinstance(cached, CachedResponse)
    monkeypatch.setattr(ResponseCache, "get", None)
    assert get(app, environ(**{CACHED: cached})) == ("200 OK", first)
    assert service.counters.counts().answers["intents", "memory"] == 1


def answer_plain(app: RequestMiddleware, *asked: tuple[str, str]) -> list[bytes | None]:
    """Return the bodies of plain requests that come together, by their paths and queries."""
    requests = [PlainRequest("127.0.0.1", *one) for one in asked]
    return [one and one.response.body for one in app.plain_requests.answer(requests)]


def test_the_first_requests_of_many_do_not_wait_for_the_others(
    app: RequestMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their answers can be sent before those of the others are made."""
    sizes: list[int] = []
    answer_together = FastPath.answer_together

    def count(self: FastPath, requests: Sequence[PlainRequest]) -> list[CachedResponse | None]:
        sizes.append(len(requests))
        return answer_together(self, requests)

    monkeypatch.setattr(FastPath, "answer_together", count)
    asked = [PlainRequest("127.0.0.1", PATH, QUERY)] * (MOST_TOGETHER + 3)
    answers = app.plain_requests.answer(asked)
    assert next(answers)
    assert sizes == [MOST_TOGETHER]
    assert len(list(answers)) == len(asked) - 1
    assert sizes == [MOST_TOGETHER, 3]


def sample_requests() -> list[tuple[str, str]]:
    """Return requests about two datasets in turn, some of them alike, and some with an error."""
    asked = []
    for name, fields in (("intents", ["sentence"]), ("customers", ["age", "education", "income"])):
        with (ROOT / "datasets" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = [{field: row[field] for field in fields} for row in csv.DictReader(file)]
        known = [(f"/predict/{name}", query(**row)) for row in rows[:100]]
        asked += [*known, *((path, f"{text}7") for path, text in known), *known[:10]]
    faulty = [(PATH, "sentence=%FF"), (PATH, "colour=red"), ("/predict/nothing", QUERY)]
    random = Random(7)
    random.shuffle(asked)
    return asked[:200] + faulty + asked[200:]


def test_requests_that_come_together_get_the_answers_that_they_get_alone(
    app: RequestMiddleware, service: PredictionService
) -> None:
    """To the last byte, seen or not; one with an error gets none, and the view says what it is."""
    asked = sample_requests()
    together = answer_plain(app, *asked)
    counts = service.counters.counts()
    assert together.count(None) == 3
    assert sum(counts.answers.values()) == sum(counts.requests.values()) == len(asked) - 3
    assert counts.fast_path_errors == 0
    for (path, text), body in zip(asked, together, strict=True):
        status, alone = get(app, environ_of(f"{path}?{text}", HTTP_ORIGIN="https://app.example"))
        assert (body or alone) == alone
        assert (status == "200 OK") is (body is not None)


def test_requests_that_come_together_are_cached_recorded_and_refused_like_others(
    app: RequestMiddleware, service: PredictionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time they come from memory; an error that nobody expected leaves them to views."""
    asked = [(PATH, query(sentence=f"un hôtel à {place}")) for place in ("Rome", "Pise", "Turin")]
    first = answer_plain(app, *asked)
    assert len(service.recorder) == 3
    assert answer_plain(app, *asked) == first
    assert service.counters.counts().answers == {
        ("intents", "student"): 3,
        ("intents", "memory"): 3,
    }
    monkeypatch.setattr(Student, "outputs_of_rows", None)
    others = [(PATH, f"{text}+centre") for _, text in asked]
    assert answer_plain(app, *others, *asked) == [None, None, None, *first]
    assert service.counters.counts().fast_path_errors == 1


def test_answers_of_a_read_that_found_the_store_down_are_not_cached(
    app: RequestMiddleware, service: PredictionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better ones may be stored; they come once the store is back."""
    reader = service.store_reader

    def go_down(*_: object) -> dict[bytes, bytes]:
        reader.is_up = False
        return {}

    monkeypatch.setattr(reader, "find_predictions", go_down)
    asked = [(PATH, QUERY), (PATH, query(sentence="un vol pour Rome"))]
    assert None not in answer_plain(app, *asked)
    assert len(service.catalog.cache) == 0


def test_after_a_slow_read_of_the_store_the_event_loop_reads_no_more(
    app: RequestMiddleware, service: PredictionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs would hold up all connections; threads wait for it, for a second."""
    assert answer_plain(app, (PATH, QUERY)) != [None]
    assert app.find_immediate("GET", PATH, QUERY) is True
    monkeypatch.setattr("serve.store_reader.SLOW_SECONDS", -1.0)
    unseen = query(sentence="un tout autre hôtel")
    assert answer_plain(app, (PATH, unseen)) != [None]
    another = query(sentence="encore un autre hôtel")
    assert answer_plain(app, (PATH, another)) == [None]
    assert app.find_immediate("GET", PATH, another) is False
    # What is cached needs no store.
    assert answer_plain(app, (PATH, unseen)) != [None]
    monkeypatch.setattr("serve.store_reader.REMEMBERED_SECONDS", 0.0)
    service.store_reader.poll_generation()
    assert answer_plain(app, (PATH, another)) != [None]
