"""Labels that come later: from the id of an answer by POST /labels to the page in production."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import find_dataset
from db.store import tables
from db.store.store import Store
from serve.prediction.service import PredictionService
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones
from tests.wsgi import app_of, environ_of

KEY = "a-key-of-the-tests"
HAPPY = "/predict/tones?sentence=ravi&town=Lyon"


@dataclass
class Reply:
    """A response of the application."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401
        """Return the body as JSON."""
        return json.loads(self.body)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Yield a store with two datasets that have models."""
    store = make_store(sqlite_url)
    serve_student(
        store, TONES, tones(), teacher={"accuracy": 0.9}, student={"accuracy": 0.8}, records=400
    )
    scores = {"mae": 20.0, "rmse": 30.0}
    serve_student(store, RENTS, rents(), teacher=scores, student=scores, records=400)
    yield store
    store.close()


@pytest.fixture
def service(store: Store, sqlite_url: str) -> PredictionService:
    """Return a service whose recorders have no threads: they write when a test says so."""
    return PredictionService(direct_store(store), settings_for(sqlite_url, API_KEYS=KEY))


@pytest.fixture
def ask(service: PredictionService) -> Callable[..., Reply]:
    """Return a function that asks the application; with `items`, it posts them with a key."""
    app = app_of(service)

    def send(target: str, items: Any = None, **more: Any) -> Reply:  # noqa: ANN401
        if items is not None:
            body = items if isinstance(items, bytes) else json.dumps(items).encode()
            more = {
                "REQUEST_METHOD": "POST",
                "HTTP_AUTHORIZATION": f"Bearer {KEY}",
                "wsgi.input": io.BytesIO(body),
                "CONTENT_LENGTH": str(len(body)),
                **more,
            }
        started: list[Any] = []
        sent = b"".join(app(environ_of(target, **more), lambda *it: started.extend(it)))
        return Reply(int(started[0][:3]), dict(started[1]), sent)

    return send


def page_of(ask: Callable[..., Reply], name: str) -> str:
    """Return the page in production of a dataset."""
    reply = ask(f"/production/{name}", HTTP_ACCEPT="text/html")
    assert reply.status == 200
    return reply.body.decode()


def write_all(service: PredictionService) -> None:
    """Write what the recorders hold: unseen inputs, and answers."""
    service.recorder._gather()
    service.recorder._write(service.recorder._batch)
    service.answers.write()


def test_the_id_of_an_answer_leads_to_its_outcome_on_the_page(
    service: PredictionService, ask: Callable[..., Reply]
) -> None:
    """Answers of the cache, of the view and of a batch count as the first one does."""
    first = ask(HAPPY)
    again = ask(HAPPY)
    viewed = ask(HAPPY, HTTP_ORIGIN="http://elsewhere")
    batch = ask("/predict/tones", [{"sentence": "triste", "town": "Paris"}] * 2)
    write_all(service)
    named = [reply.headers["X-Request-Id"] for reply in (first, again, viewed)]
    named.append(f"{batch.headers['X-Request-Id']}/1")
    assert len(set(named)) == 4
    items = [{"request_id": name, "tone": "happy"} for name in named]
    told = ask("/labels/tones", items)
    assert told.json() == {
        "added": 4,
        "corrected": 0,
        "unchanged": 0,
        "records": 0,
        "judged": 4,
    }
    page = page_of(ask, "tones")
    assert "75 % right in production: last 4 weeks, 4 outcomes. In training it was 80 %." in page
    assert "tones@1" in page
    assert "not judged" in page


def test_all_items_are_told_or_none(ask: Callable[..., Reply], store: Store) -> None:
    """Bad items are named with field and reason; an Idempotency-Key makes the others count once."""
    items = [
        {"sentence": "ravi", "town": "Lyon", "tone": "happy"},
        {"sentence": "ravi", "town": "Lyon"},
        {"request_id": "nobody", "tone": "sad"},
        {"request_id": 7, "tone": "sad"},
        {"colour": "red", "tone": "sad"},
    ]
    syntax = ask("/labels/tones", items)
    assert syntax.status == 400
    assert ask("/labels/tones", items[:1], HTTP_AUTHORIZATION="Bearer wrong").status == 401
    assert [(one["item"], one["field"]) for one in syntax.json()["problems"]] == [
        (1, "tone"),
        (3, "request_id"),
        (4, "colour"),
    ]
    unknown = ask("/labels/tones", items[:1] + items[2:3])
    assert unknown.json()["detail"] == "1 bad items, so no label was kept"
    [problem] = unknown.json()["problems"]
    assert (problem["item"], problem["field"]) == (1, "request_id")
    assert "send the inputs instead" in problem["reason"]
    with store.reading() as connection:
        assert connection.execute(select(tables.observation)).all() == []
    first = ask("/labels/tones", items[:1], HTTP_IDEMPOTENCY_KEY="k").json()
    assert first["records"] == 1
    assert ask("/labels/tones", items[:1], HTTP_IDEMPOTENCY_KEY="k").json() == first
    assert ask("/labels/tones", [], HTTP_IDEMPOTENCY_KEY="k").status == 422


def test_labels_by_row_id_and_by_inputs_are_compared_with_the_newest_answer(
    service: PredictionService, ask: Callable[..., Reply], store: Store
) -> None:
    """A regression has a mean error in place of a share of right answers."""
    inputs = RENTS.read_inputs({"area": 50, "town": "Paris"})
    with store.writing() as connection:
        rows = [NewRow(RENTS.key(inputs), inputs, None, "F7")]
        add_rows(connection, find_dataset(connection, "rents"), rows, "import")
    answered = ask("/predict/rents?flat=F7").json()["prediction"]
    other = ask("/predict/rents?area=80&town=Lyon").json()["prediction"]
    service.answers.write()
    items = [
        {"flat": "F7", "rent": answered + 30},
        {"area": 80, "town": "Lyon", "rent": other - 10},
    ]
    assert ask("/labels/rents", items).json()["judged"] == 2
    page = page_of(ask, "rents")
    assert "20.0 is the mean error in production: last 4 weeks, 2 outcomes." in page
    mixed = ask("/labels/rents", [{"flat": "F7", "area": 50, "town": "Paris", "rent": 1}])
    assert "cannot stand beside flat" in mixed.json()["problems"][0]["reason"]


def test_a_page_without_outcomes_says_how_to_send_labels(ask: Callable[..., Reply]) -> None:
    """The commands have the dataset's own names."""
    page = page_of(ask, "rents")
    assert "No label has come yet" in page
    assert "curl http://localhost/labels/rents" in page
    assert "&quot;flat&quot;: &quot;17&quot;, &quot;rent&quot;: 100" in page
