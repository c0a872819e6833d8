"""What a server without READ_KEYS that others can reach shows of records, and to whom."""

from __future__ import annotations

import gc
import io
import json
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.fault import record_fault
from db.scoring.explanation import Neighbour
from serve.api.middleware import RequestMiddleware
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import TONES, serve_student, tones
from tests.store.vector_enrichers import enrichers
from tests.wsgi import app_of, environ_of

SPEC = msgspec.structs.replace(TONES, enrichers=enrichers(), id="card")
QUOTED = "Léa 4711"
KEY = "a-key-of-the-tests"
INPUTS = "sentence=0&town=Lyon"
NEIGHBOUR = Neighbour("ab" * 16, "happy", 0.5)


class Answer:
    """A response of the application."""

    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = int(status[:3])
        self.headers = dict(headers)
        self.text = body.decode()


def make(tmp_path: Path, **changes: Any) -> RequestMiddleware:  # noqa: ANN401  of any setting
    """Return an application whose store has a row and a fault."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = make_store(url)
    dataset = serve_student(store, SPEC, tones())
    inputs = SPEC.read_inputs({"sentence": "0", "town": "Lyon"})
    with store.writing() as connection:
        add_rows(connection, dataset, [NewRow(SPEC.key(inputs), inputs, "happy", "7")], "import")
        record_fault(connection, dataset.id, "train", f"cannot read {QUOTED}")
    settings = replace(settings_for(url), max_age=600, api_keys=(KEY,), **changes)
    service = PredictionService(direct_store(store), settings)
    return app_of(service)


@pytest.fixture
def exposed(tmp_path: Path) -> RequestMiddleware:
    """Return an application behind a proxy."""
    return make(tmp_path, trusted_proxies=("10.0.0.1",))


def ask(app: RequestMiddleware, target: str, **more: Any) -> Answer:  # noqa: ANN401
    """Return the answer to a request."""
    environ = environ_of(target, **more)
    started: list[Any] = []
    body = b"".join(app(environ, lambda *status: started.extend(status)))
    return Answer(started[0], started[1], body)


def post(app: RequestMiddleware, target: str, body: bytes, **more: Any) -> Answer:  # noqa: ANN401
    """Return the answer to a request with a body."""
    more |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    return ask(app, target, REQUEST_METHOD="POST", **more)


def test_reasons_of_faults_are_for_those_who_may_see_records(
    tmp_path: Path, exposed: RequestMiddleware
) -> None:
    """They may quote inputs. That something is stopped is for everybody."""
    (tmp_path / "private").mkdir()
    private = make(tmp_path / "private")
    ready, page = ask(exposed, "/readyz"), ask(exposed, "/server", HTTP_ACCEPT="text/html")
    assert '"subject":"train"' in ready.text
    assert "train is stopped" in page.text
    assert QUOTED not in ready.text + page.text
    assert QUOTED in ask(private, "/readyz").text
    assert QUOTED in ask(private, "/server", HTTP_ACCEPT="text/html").text


def test_openapi_describes_what_readyz_answers(exposed: RequestMiddleware) -> None:
    """Generated clients read the faults as well."""
    document = json.loads(ask(exposed, "/openapi.json").text)
    described = document["paths"]["/readyz"]["get"]["responses"]["200"]["content"]
    schema = described["application/json"]["schema"]["properties"]
    answer = json.loads(ask(exposed, "/readyz").text)
    assert set(answer) == set(schema) == {"status", "faults"}
    assert set(answer["faults"][0]) <= set(schema["faults"]["items"]["properties"])


def test_no_cache_gives_others_what_only_a_key_may_see(exposed: RequestMiddleware) -> None:
    """With MAX_AGE the explanations of inputs are public."""
    key = {"HTTP_AUTHORIZATION": f"Bearer {KEY}"}
    of_row = ask(exposed, "/explain/tones?card=7", **key)
    assert of_row.status == 200
    assert of_row.headers["Cache-Control"] == "private, no-cache"
    assert ask(exposed, "/explain/tones?card=7").status == 401


def test_neighbours_are_for_those_who_may_see_records(
    exposed: RequestMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are keys and labels of what others have imported; the reasons are for everybody."""
    monkeypatch.setattr("serve.prediction.neighbours.read_fresh_value", lambda *_: [])
    monkeypatch.setattr("serve.prediction.neighbours.existing_neighbours", lambda *_: [NEIGHBOUR])
    open_to_all = ask(exposed, f"/explain/tones?{INPUTS}")
    with_key = ask(exposed, f"/explain/tones?{INPUTS}", HTTP_AUTHORIZATION=f"Bearer {KEY}")
    assert open_to_all.status == with_key.status == 200
    assert NEIGHBOUR.key in with_key.text
    assert NEIGHBOUR.key not in open_to_all.text
    assert with_key.headers["Cache-Control"] == "private, no-cache"


class Watched:
    """A part of a request whose end can be seen."""


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/predict/tones", "application/json", b'[{"sentence":"0","town":"Lyon"}]'),
        ("/predict/tones", "text/csv", b"sentence,town\n0,Lyon\n"),
        ("/records/tones", "application/json", b"[]"),
    ],
)
def test_a_request_is_freed_as_soon_as_it_is_answered(
    exposed: RequestMiddleware, path: str, media_type: str, body: bytes
) -> None:
    """Bodies in cycles stayed until Python's collector ran: 400 MiB after 500 large ones."""
    watched = Watched()
    end = weakref.ref(watched)
    gc.collect()
    gc.disable()
    try:
        post(
            exposed,
            path,
            body,
            CONTENT_TYPE=media_type,
            HTTP_IDEMPOTENCY_KEY="a",
            HTTP_AUTHORIZATION=f"Bearer {KEY}",
            watched=watched,
        )
        del watched
        # Bottle keeps the last request of a thread.
        ask(exposed, "/livez")
        ask(exposed, "/nothing")
        assert end() is None
    finally:
        gc.enable()


def test_a_redirect_is_ascii(exposed: RequestMiddleware) -> None:
    """Servers send other characters of a header each in their own way."""
    form = f"key={KEY}&next=/try/%C3%A9%3Fa=%25C3%25A9".encode()
    signed_in = post(exposed, "/key", form)
    assert signed_in.status == 303
    assert signed_in.headers["Location"] == "/try/%C3%A9?a=%C3%A9"


def test_a_log_line_is_short_whatever_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty of them are written a second, and a head may have 64 KiB."""
    app = make(tmp_path, log_query="on")
    lines: list[str] = []
    monkeypatch.setattr(BatchedHandler, "log_line", lambda _, text, **__: lines.append(text))
    ask(app, f"/{'Ã©' * 30_000}?{'Ã©' * 30_000}")
    ask(app, "/nothing?a=b")
    assert [len(line) < 15_000 for line in lines] == [True, True]
    assert "/nothing?a=b 404" in lines[1]
