"""Tests of the page of a record: its label, which people can change, and the answer's reasons."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import find_dataset
from db.records.record_detail import RecordDetail, read_record_detail
from db.spec.dataset_spec import DatasetSpec
from db.store import tables
from db.store.store import Store
from serve.api.middleware import RequestMiddleware
from serve.prediction.service import PredictionService
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones
from tests.wsgi import app_of, environ_of

KEY = "a-key-of-the-tests"
TONE = {"sentence": "a good day", "town": "Lyon"}
RENT = {"area": 40, "town": "Paris"}
TONE_KEY = TONES.key(TONES.read_inputs(TONE))
RENT_KEY = RENTS.key(RENTS.read_inputs(RENT))


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Yield a store with a record of each dataset, both with a model."""
    store = make_store(sqlite_url)
    both: list[tuple[DatasetSpec, Any, NewRow]] = [
        (TONES, tones(), NewRow(TONE_KEY, TONES.read_inputs(TONE), "sad")),
        (RENTS, rents(), NewRow(RENT_KEY, RENTS.read_inputs(RENT), "640.0", "7")),
    ]
    for spec, student, row in both:
        dataset = serve_student(store, spec, student)
        with store.writing() as connection:
            add_rows(connection, dataset, [row], "import")
    yield store
    store.close()


@pytest.fixture
def app(store: Store, sqlite_url: str) -> RequestMiddleware:
    """Return the application of a web process with an API key."""
    settings = replace(settings_for(sqlite_url), api_keys=(KEY,))
    return app_of(PredictionService(direct_store(store), settings))


def ask(app: RequestMiddleware, target: str, key: str = KEY, **form: str) -> tuple[int, str]:
    """Open a page, or send a form if it is given; return the status and the page or address."""
    sent: dict[str, Any] = {"HTTP_ACCEPT": "text/html"}
    if key:
        sent["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    if form:
        body = urlencode(form).encode()
        sent |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        sent["REQUEST_METHOD"] = "POST"
    started: list[Any] = []
    page = b"".join(app(environ_of(target, **sent), lambda *it: started.extend(it))).decode()
    headers = dict(started[1])
    return int(started[0][:3]), headers.get("Location", page)


def stored(store: Store, spec: DatasetSpec = TONES, key: bytes = TONE_KEY) -> RecordDetail:
    """Return a record as it is in the store."""
    with store.reading() as connection:
        return read_record_detail(connection, find_dataset(connection, spec.name), key)


def test_a_label_is_given_by_its_button_and_undone(app: RequestMiddleware, store: Store) -> None:
    """The page that follows says what was done, and who did it."""
    page = ask(app, f"/records/tones/{TONE_KEY.hex()}")[1]
    buttons = re.findall(r'name="label" value="(\w+)"( aria-current="true")?', page)
    assert buttons == [
        ("happy", ""),
        ("neutral", ""),
        ("sad", ' aria-current="true"'),
    ]
    status, address = ask(app, f"/label/tones/{TONE_KEY.hex()}", label="happy")
    assert (status, stored(store).label) == (303, "happy")
    page = ask(app, address)[1]
    assert "The label is now happy." in page
    assert "replaced" in page
    (given,) = re.findall(r'name="observation" value="(\d+)"', page)
    status, address = ask(app, f"/label/tones/{TONE_KEY.hex()}", action="undo", observation=given)
    assert (status, address) == (303, f"/records/tones/{TONE_KEY.hex()}")
    assert stored(store).label == "sad"


def test_a_label_can_be_doubted_and_removed(app: RequestMiddleware, store: Store) -> None:
    """The rows of the record say so too."""
    for action, label, said, state in (
        ("unsure", "sad", "Noted: you are not sure.", "not sure"),
        ("remove", None, "The label is removed.", "label removed"),
    ):
        _status, address = ask(app, f"/label/tones/{TONE_KEY.hex()}", action=action)
        assert stored(store).label == label
        page = ask(app, address)[1]
        assert said in page
        assert state in page.partition("<h2>Rows</h2>")[2]


def test_a_wrong_form_is_answered_with_the_page_and_what_is_wrong(
    app: RequestMiddleware, store: Store
) -> None:
    """Nothing is written."""
    wrong: list[tuple[dict[str, str], int, str]] = [
        ({"label": "forty"}, 400, "rent: "),
        ({"label": " "}, 400, "is missing"),
        ({"action": "guess"}, 400, "action: must be one of"),
        ({"action": "undo", "observation": "9"}, 409, "no longer there"),
        ({"action": "undo", "observation": "x"}, 400, "observation: must be"),
    ]
    for form, status, problem in wrong:
        answered, page = ask(app, f"/label/rents/{RENT_KEY.hex()}", **form)
        assert answered == status
        assert problem in page
        assert 'type="number"' in page
    assert stored(store, RENTS, RENT_KEY).label == "640.0"


def test_without_a_key_the_page_has_no_control_and_a_form_is_refused(
    app: RequestMiddleware, store: Store
) -> None:
    """The page says how to sign in."""
    page = ask(app, f"/records/tones/{TONE_KEY.hex()}", key="")[1]
    assert f'href="/key?next=/records/tones/{TONE_KEY.hex()}"' in page
    assert 'name="label"' not in page
    assert 'name="api_key"' in page
    assert ask(app, f"/label/tones/{TONE_KEY.hex()}", key="", label="happy")[0] == 401
    assert stored(store).label == "sad"


def test_a_signed_in_person_deletes_a_record_without_typing_the_key(
    app: RequestMiddleware, store: Store
) -> None:
    """Others are told if the key that they type is wrong."""
    page = ask(app, f"/records/tones/{TONE_KEY.hex()}")[1]
    assert 'name="api_key"' not in page
    wrong = ask(app, f"/forget/tones/{TONE_KEY.hex()}", key="", api_key="a guess")
    assert wrong[0] == 403
    assert "Wrong API key" in wrong[1]
    assert stored(store).label == "sad"
    assert ask(app, f"/forget/tones/{TONE_KEY.hex()}", sure="yes") == (303, "/records/tones")


def test_without_api_keys_no_form_to_delete_or_label_is_shown(
    store: Store, sqlite_url: str
) -> None:
    """The page says what is missing."""
    app = app_of(PredictionService(direct_store(store), settings_for(sqlite_url)))
    page = ask(app, f"/records/rents/{RENT_KEY.hex()}", key="")[1]
    assert "set API_KEYS" in page
    assert "<form" not in page.partition("<main")[2]


def test_a_record_without_a_stored_answer_shows_the_students_with_reasons(
    app: RequestMiddleware, store: Store
) -> None:
    """A held-out answer, which listings show, is there too."""
    with store.writing() as connection:
        of_record = tables.record.c.key == RENT_KEY
        values = {"score": 612.0, "held_out": True}
        connection.execute(update(tables.record).where(of_record).values(**values))
    page = ask(app, f"/records/rents/{RENT_KEY.hex()}")[1]
    assert "in nine of ten cases" in page
    assert "How the rent comes about" in page
    assert "trained without this label: <strong>612.000</strong>" in page
    assert "rents@1, computed just now" in page
    page = ask(app, f"/records/tones/{TONE_KEY.hex()}")[1]
    assert "tones@1. The teacher has not predicted this record yet." in page
    assert "Why happy rather than neutral" in page


def test_a_row_id_is_on_each_page_that_shows_its_record(app: RequestMiddleware) -> None:
    """People know their rows by it, and not by the key of a record."""
    cell = re.compile(r'<dt>flat</dt><dd>7</dd>|<td class="whole">7</td>')
    record = f"/records/rents/{RENT_KEY.hex()}"
    for target in (record, "/records/rents", "/label/rents?order=sample"):
        assert cell.search(ask(app, target)[1]), target
    header, row = ask(app, "/records/rents?format=csv")[1].splitlines()
    assert header.startswith("key,flat,area,town,rent,")
    assert row.startswith(f"{RENT_KEY.hex()},7,40")
