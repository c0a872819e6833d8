"""Many predictions in one request are those of as many requests, and are counted like them."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from db.errors import InputError, UnknownRow
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.lookup import find_bodies
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import Answer, encode_answer
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    IntegerField,
    NumberField,
    TextField,
)
from db.store import tables
from db.store.store import Store
from serve.api.problem import problem_of
from serve.prediction.service import PredictionService
from tests.conftest import register
from tests.direct import direct_store
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones
from tests.unit.db.scoring.random_students import KINDS, random_student
from tests.wsgi import app_of, environ_of

TONE_ITEMS: list[Any] = [
    {"sentence": "ravi", "town": "Lyon"},
    {"sentence": "  triste ", "town": "Paris"},
    {"sentence": "ravi", "town": "Lyon"},
    {"town": "Lyon", "sentence": "superbe é"},
    {"sentence": "superbe e\u0301", "town": "Lyon"},
    {"sentence": "un inconnu", "town": "Pau"},
    {"sentence": "", "town": "Pau"},
    {"sentence": "ravi"},
    {"sentence": 3, "town": None},
    {"sentence": "ravi", "town": "Lyon", "mood": 1},
    {},
    "ravi",
    None,
    [],
]
RENT_ITEMS: list[Any] = [
    {"area": 95, "town": "Paris"},
    {"area": "95", "town": "Paris"},
    {"area": 95.0, "town": "Paris", "flat": "K7"},
    {"area": 1e9, "town": "Pau"},
    {"area": True, "town": "Paris"},
    {"area": [], "town": "Paris"},
    {"flat": "K7"},
    {"flat": "K8"},
    {"flat": ""},
    {"flat": "nobody's"},
    {"area": 40},
]

STAYS = DatasetSpec(
    name="stays",
    kind="regression",
    target="price",
    id="booking",
    id_column="No.",
    fields={
        "wish": TextField(optional=True, max_length=40),
        "note": TextField(default="sans"),
        "trip": ChoiceField(choices=("work", "fun"), strict=True, optional=True, column="Trip"),
        "lift": BooleanField(optional=True),
        "age": IntegerField(default=30, min=0),
        "size": NumberField(optional=True, format="1 234,5 m²", missing=("-200",)),
        "day": DateField(optional=True, order="DMY"),
        "seen": DatetimeField(optional=True),
    },
)
STAY: dict[str, Any] = {
    "wish": "La mer est calme, la mer !",
    "note": "Sea view for 24 €, é la carte?",
    "trip": "work",
    "lift": True,
    "age": 41,
    "size": 30.5,
    "day": "31/1/2024",
    "seen": "2024-01-31T08:00",
}


def _stays(field: str, values: list[Any]) -> list[dict[str, Any]]:
    """Return a stay with each of the values of one field."""
    return [{**STAY, field: value} for value in values]


STAY_ITEMS: list[Any] = [
    STAY,
    *_stays("lift", [False, 1, 0, 1.0, "true", "1", 2, "yes", None]),
    *_stays("age", [41.0, "41", "4e1", 41.5, -1, 2**53, 10**30, None, True]),
    *_stays("size", ["1 234,5 m²", "12 km", -200, "-200", 30, 1e101, ""]),
    *_stays("day", ["1/2/2024", "2024-02-01", "2/30/2024", 20240131, []]),
    *_stays("seen", ["2024-02-01 09:30:01", "1/2/2024 10:00", "noon"]),
    *_stays("trip", ["fun", " fun ", "sport", "", 3]),
    *_stays("wish", ["e\u0301", "é", "a" * 41, "a\u0000", "🙂"]),
    {"wish": "?"},
    {"Trip": "work"},
    {"Trip": "work", "trip": "fun"},
    {"note": "sans", "age": 30},
    {**STAY, "No.": "K7"},
    {**STAY, "booking": ""},
    {**STAY, "booking": ["K7"]},
    {"booking": "K7"},
    {"No.": "K8"},
    {**STAY, "colour": "red"},
    STAY,
    {},
    7,
]


def fill(store: Store, *, is_final: bool = False) -> None:
    """Serve three datasets, with some stored predictions and rows with ids."""
    tone = serve_student(store, TONES, tones())
    predict(store, tone, TONE_ITEMS[1], "sad")
    rent = serve_student(store, RENTS, rents(is_teacher=is_final))
    predict(store, rent, {"area": 41, "town": "Lyon"}, 12.5)
    stay = serve_student(store, STAYS, random_student(7, 0, KINDS))
    predict(store, stay, STAY_ITEMS[2], 99.5)
    with store.writing() as connection:
        for dataset, row_id, raw in (
            (rent, "K7", {"area": 41, "town": "Lyon"}),
            (rent, "K8", RENT_ITEMS[0]),
            (stay, "K7", STAY_ITEMS[2]),
            (stay, "K8", STAY),
        ):
            inputs = dataset.spec.read_inputs(raw)
            row = NewRow(dataset.spec.key(inputs), inputs, None, row_id)
            add_rows(connection, dataset, [row], "api")


def predict(store: Store, dataset: Dataset, raw: dict[str, Any], prediction: str | float) -> None:
    """Store a prediction that the student would not give."""
    answer = Answer(
        dataset=dataset.name,
        prediction=prediction,
        source="teacher",
        model="old@1",
        enrichment="done",
    )
    key = dataset.spec.key(dataset.spec.read_inputs(raw))
    with store.writing() as connection:
        one = Prediction(key, encode_answer(answer), "of the tests", "", 1.0)
        write_predictions(connection, dataset.id, [one])


def answer_alone(service: PredictionService, name: str, item: object) -> bytes:
    """Return the answer to one item, as a request for it alone has it."""
    if not isinstance(item, dict):
        error = InputError("item", "must be an object with a value for each field")
        return msgspec.json.encode(problem_of(error))
    try:
        return service.predict(service.catalog.find(name), item, client="here").body
    except (InputError, UnknownRow) as found:
        return msgspec.json.encode(problem_of(found))


def post(service: PredictionService, name: str, body: bytes, content_type: str) -> bytes:
    """Send a batch to the application, and return its body."""
    environ = environ_of(
        f"/predict/{name}",
        REQUEST_METHOD="POST",
        CONTENT_TYPE=content_type,
        CONTENT_LENGTH=str(len(body)),
    )
    environ["wsgi.input"] = io.BytesIO(body)
    environ["HTTP_ACCEPT"] = "application/json"
    statuses: list[str] = []
    answer = b"".join(app_of(service)(environ, lambda status, *_: statuses.append(status)))
    assert statuses == ["200 OK"], answer
    return answer


def counted(service: PredictionService) -> object:
    """Return all counts of answers, and how many inputs wait to be recorded."""
    served = service.counters.take_served()
    return dict(served), service.counters.counts().answers, len(service.recorder)


@pytest.mark.parametrize(
    ("name", "items", "is_final"),
    [
        ("tones", TONE_ITEMS, False),
        ("rents", RENT_ITEMS, False),
        ("rents", RENT_ITEMS, True),
        ("stays", STAY_ITEMS, False),
    ],
)
def test_each_item_has_the_answer_of_a_request_for_it_alone(
    store: Store,
    settings: Settings,
    name: str,
    items: list[Any],
    is_final: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    """To the last byte: stored and unseen, good and bad, repeated, by inputs and by row id."""
    fill(store, is_final=is_final)
    alone, together = (
        PredictionService(direct_store(store), settings),
        PredictionService(direct_store(store), settings),
    )
    wanted = b"[" + b",".join(answer_alone(alone, name, item) for item in items) + b"]"
    assert post(together, name, json.dumps(items).encode(), "application/json") == wanted
    assert counted(together) == counted(alone)
    assert b'"old@1"' in wanted


def test_while_the_store_is_down_the_student_answers_all_items(
    store: Store, settings: Settings
) -> None:
    """As it answers each alone; a row id needs the store."""
    fill(store)
    alone, together = (
        PredictionService(direct_store(store), settings),
        PredictionService(direct_store(store), settings),
    )
    alone.store_reader.is_up = together.store_reader.is_up = False
    wanted = b"[" + b",".join(answer_alone(alone, "tones", item) for item in TONE_ITEMS) + b"]"
    body = json.dumps(TONE_ITEMS).encode()
    assert post(together, "tones", body, "application/json") == wanted
    assert b'"old@1"' not in wanted


def test_each_row_of_a_table_has_the_answer_of_a_request_for_it_alone(
    store: Store, settings: Settings
) -> None:
    """To the last byte, and counted like it."""
    fill(store)
    rows = [("ravi", "Lyon"), ("triste", "Paris"), ("ravi", "Lyon"), ("été", "Pau")]
    alone, together = (
        PredictionService(direct_store(store), settings),
        PredictionService(direct_store(store), settings),
    )
    items = [{"sentence": sentence, "town": town} for sentence, town in rows]
    wanted = [json.loads(answer_alone(alone, "tones", item)) for item in items]
    table = "sentence,town\n" + "".join(f"{sentence},{town}\n" for sentence, town in rows)
    assert json.loads(post(together, "tones", table.encode(), "text/csv")) == wanted
    assert counted(together) == counted(alone)


@pytest.mark.parametrize("is_final", [True, False])
def test_the_answers_of_a_batch_are_kept_under_the_numbers_of_its_items(
    store: Store,
    settings: Settings,
    is_final: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    """As many of them as this second allows; labels can name them later."""
    fill(store, is_final=is_final)
    service = PredictionService(direct_store(store), settings)
    post(service, "rents", json.dumps([[], *RENT_ITEMS[:1] * 30]).encode(), "application/json")
    service.answers.write()
    kept_answers = tables.served_answer.c
    with store.reading() as connection:
        rows = connection.execute(select(kept_answers.request_id, kept_answers.key)).all()
    kept = settings.answers_per_second
    assert {row[0].split("/")[1] for row in rows} == {str(at) for at in range(1, kept + 1)}
    assert {row[1] for row in rows} == {RENTS.key(RENTS.read_inputs(RENT_ITEMS[0]))}
    assert service.answers.skipped == 30 - kept


def test_the_stored_bodies_of_many_keys_are_found_at_once(store: Store) -> None:
    """Of this dataset alone; keys without one are left out, and more fit than in one statement."""
    here, other = register(store, TONES), register(store, RENTS)
    stored = [bytes([at % 256, at // 256, *[7] * 14]) for at in range(1200)]
    with store.writing() as connection:
        for dataset in (here, other):
            rows = [
                Prediction(key, key + dataset.name.encode(), "", "", 1.0) for key in stored[::2]
            ]
            write_predictions(connection, dataset.id, rows)
        for asked in (stored, stored[:3], stored[:1], stored[1:2], []):
            wanted = {key: key + b"tones" for key in asked if key in stored[::2]}
            assert find_bodies(connection, here.id, asked) == wanted
