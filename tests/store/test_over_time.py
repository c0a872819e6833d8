"""Tests of the page over time and its queries, on both databases."""

from __future__ import annotations

import html
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.settings import Settings
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.store import Store
from db.traffic.input_samples import read_labelled_inputs, read_served_inputs
from serve.prediction.service import PredictionService
from tests.conftest import make_store, register, settings_for
from tests.direct import direct_store
from tests.hand_made_student import TONES, serve_student, tones
from tests.wsgi import app_of, environ_of

HOUR = 3600
TRAINED = {"happy": 400, "sad": 300, "neutral": 300}
CHANCE = random.Random(9)


@pytest.fixture
def dataset(store: Store) -> Dataset:
    """Return a dataset with a model and 300 labelled records."""
    return serve_student(store, TONES, tones(), answers=TRAINED)


def now_of(store: Store) -> float:
    """Return the time by the store's clock."""
    with store.reading() as connection:
        return wall_seconds(connection)


def add_records(store: Store, dataset: Dataset, towns: str, count: int) -> list[bytes]:
    """Add labelled records; return their keys."""
    rows = []
    for at in range(count):
        town = "Lyon" if CHANCE.choice(towns) == "L" else "Paris"
        inputs = TONES.read_inputs({"sentence": f"text {town} {at}", "town": town})
        rows.append(NewRow(TONES.key(inputs), inputs, "happy"))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return [row.key for row in rows]


def add_answers(store: Store, dataset: Dataset, keys: list[bytes], until: float) -> None:
    """Add an answer for each key, a second apart."""
    rows = [
        {
            "request_id": f"{until}-{at}",
            "dataset_id": dataset.id,
            "key": key,
            "prediction": "happy",
            "source": "student",
            "model_version": 1,
            "made_at": until - at,
        }
        for at, key in enumerate(keys)
    ]
    with store.writing() as connection:
        connection.execute(insert(tables.served_answer), rows)


def add_hour(store: Store, dataset: Dataset, ago: int, counts: dict[str, int]) -> None:
    """Add the answers of an hour."""
    hour = int(now_of(store)) // HOUR - ago
    rows = [
        {
            "dataset_id": dataset.id,
            "hour": hour,
            "source": "student",
            "prediction": it,
            "answers": n,
        }
        for it, n in counts.items()
    ]
    with store.writing() as connection:
        connection.execute(insert(tables.served), rows)


def page(store: Store, settings: Settings, target: str, **changes: Any) -> tuple[int, str]:  # noqa: ANN401
    """Return the status and the text of a page of an application with these settings."""
    app = app_of(PredictionService(direct_store(store), replace(settings, **changes)))
    statuses: list[int] = []
    environ = environ_of(target, HTTP_ACCEPT="text/html")
    body = b"".join(app(environ, lambda status, *_more: statuses.append(int(status[:3]))))
    return statuses[0], html.unescape(body.decode())


def test_the_latest_inputs_of_answers_are_read(store: Store, dataset: Dataset) -> None:
    """Inputs that are no record are left out, and so are older ones."""
    keys = add_records(store, dataset, "LP", 6)
    now = now_of(store)
    add_answers(store, dataset, [keys[0], b"\0" * 16, keys[1], keys[0], keys[2]], now)
    with store.reading() as connection:
        found = read_served_inputs(connection, dataset.id, now - 3.5, 100)
        two = read_served_inputs(connection, dataset.id, now - 100, 3)
        none = read_served_inputs(connection, dataset.id + 1, now - 100, 3)
    assert [row["sentence"][-1] for row in found] == ["0", "1", "0"]  # type: ignore[index]
    assert [row["sentence"][-1] for row in two] == ["0", "1"]  # type: ignore[index]
    assert none == []


def test_a_sample_of_labelled_records_is_spread_over_all(store: Store, dataset: Dataset) -> None:
    """The first ones may be older than a change of the data."""
    add_records(store, dataset, "LP", 300)
    with store.reading() as connection:
        everything = read_labelled_inputs(connection, dataset.id, 1000)
        sample = read_labelled_inputs(connection, dataset.id, 40)
    places = [everything.index(row) for row in sample]
    assert len(everything) == 300
    assert len(sample) == 40
    assert (places[0], places[-1] > 280) == (0, True)


def test_the_page_shows_a_shift_of_six_hours_and_the_field_that_changed(
    store: Store, dataset: Dataset, settings: Settings
) -> None:
    """The predictions of the whole day still match training."""
    lyon = add_records(store, dataset, "LP", 300)
    paris = add_records(store, dataset, "P", 200)
    add_answers(store, dataset, [*paris, *lyon[:20]], now_of(store))
    for ago in range(24):
        counts = {"happy": 40, "sad": 30, "neutral": 30}
        add_hour(store, dataset, ago, {"happy": 5, "sad": 90, "neutral": 5} if ago < 5 else counts)
    status, text = page(store, settings, "/over-time/tones?span=24h")
    assert status == 200
    badges = re.findall(r'the last .*?hours?</th>.*?badge (\w+)"', text, re.DOTALL)
    assert badges == ["bad", "bad", "fine"]
    assert 'href="/records/tones?show=asked"' in text
    assert Counter(re.findall(r'<svg class="(chart[ a-z]*)"', text)) == {
        "chart": 2,
        "chart small": 3,
    }
    assert '<a href="/over-time/tones?span=24h" aria-current="page">24 hours</a>' in text
    field = re.search(r'<tr><th scope="row">(\w+) .*?badge (\w+)"', text[text.index("Made from") :])
    assert field is not None
    assert field.groups() == ("town", "bad")


@pytest.fixture
def alone(sqlite_url: str) -> Iterator[Store]:
    """Yield a store for what does not depend on the database."""
    store = make_store(sqlite_url)
    yield store
    store.close()


def test_the_page_of_a_dataset_without_answers_and_model_says_so(
    alone: Store, sqlite_url: str
) -> None:
    """Nothing is drawn."""
    register(alone, TONES)
    for span in ("24h", "7d", "90d"):
        status, text = page(alone, settings_for(sqlite_url), f"/over-time/tones?span={span}")
        assert status == 200
        assert "There is no model yet." in text
        assert "No record has a label yet" in text
        assert "<svg" not in text


def test_values_of_inputs_are_not_shown_to_those_who_may_not_list_records(
    alone: Store, sqlite_url: str
) -> None:
    """The counts of predictions are, as they are on the first page."""
    dataset = serve_student(alone, TONES, tones(), answers=TRAINED)
    keys = add_records(alone, dataset, "LP", 100)
    add_answers(alone, dataset, keys, now_of(alone))
    add_hour(alone, dataset, 0, {"happy": 7})
    settings = settings_for(sqlite_url)
    private = page(alone, settings, "/over-time/tones")
    status, text = page(alone, settings, "/over-time/tones", trusted_proxies=("10.0.0.1",))
    assert (private[0], status) == (200, 200)
    assert "Lyon" in private[1]
    assert "Lyon" not in text
    assert "Sign in" in text
    assert "7 predictions in 24 hours." in text


def test_unknown_names_and_spans_are_refused(alone: Store, sqlite_url: str) -> None:
    """The problem names what there is."""
    register(alone, TONES)
    settings = settings_for(sqlite_url)
    assert page(alone, settings, "/over-time/nobody")[0] == 404
    status, text = page(alone, settings, "/over-time/tones?span=1y")
    assert status == 400
    assert "24h, 7d, 90d" in text
