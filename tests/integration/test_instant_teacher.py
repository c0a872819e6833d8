"""A student that is the teacher answers at once, and needs no worker and no store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from db.files.importer import import_files
from db.records.dataset import Dataset
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import Answer, encode_answer
from db.store.store import Store
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import RENTS, TONES, as_teacher, rents, serve_student, tones

from .conftest import Site, query, serving, until

RENT = {"area": "95", "town": "Paris"}
TONE = {"sentence": "ravi", "town": "Lyon"}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """Yield a store without datasets."""
    made = make_store(sqlite_url)
    yield made
    made.close()


def make_service(store: Store, url: str, **settings: str) -> PredictionService:
    """Return a service that has not started its threads."""
    return PredictionService(direct_store(store), settings_for(url, **settings))


def served(service: PredictionService, name: str) -> Served:
    """Return a dataset as it is served."""
    return service.catalog.find(name)


def ask(service: PredictionService, name: str, raw: dict[str, str], address: str = "") -> Answer:
    """Return the answer to inputs."""
    body = service.predict(served(service, name), raw, address).body
    return msgspec.json.decode(body, type=Answer)


def store_prediction(store: Store, dataset: Dataset, raw: dict[str, str]) -> None:
    """Store a prediction that the student would not give."""
    answer = Answer(
        dataset=dataset.name, prediction=1.0, source="teacher", model="old@1", enrichment="done"
    )
    key = dataset.spec.key(dataset.spec.read_inputs(raw))
    with store.writing() as connection:
        prediction = Prediction(key, encode_answer(answer), "of the tests", "", 1.0)
        write_predictions(connection, dataset.id, [prediction])


def test_a_student_that_is_the_teacher_answers_unseen_inputs_as_the_teacher(
    store: Store, sqlite_url: str
) -> None:
    """Nothing is recorded, because no worker could improve the answer."""
    serve_student(store, RENTS, rents())
    service = make_service(store, sqlite_url)
    answer = ask(service, "rents", RENT)
    assert (answer.source, answer.enrichment, answer.model) == ("teacher", "done", "rents@1")
    assert answer.interval == (answer.prediction - 50, answer.prediction + 100)  # type: ignore[operator]
    assert len(service.recorder) == 0


def test_another_student_answers_as_before(store: Store, sqlite_url: str) -> None:
    """Its input waits for a worker."""
    serve_student(store, RENTS, rents(is_teacher=False))
    service = make_service(store, sqlite_url)
    answer = ask(service, "rents", RENT)
    assert (answer.source, answer.enrichment) == ("student", "queued")
    assert len(service.recorder) == 1


@pytest.mark.parametrize(("remember", "enrichment"), [(True, "queued"), (False, "off")])
def test_inputs_are_recorded_where_enrichers_have_something_to_do(
    store: Store, sqlite_url: str, *, remember: bool, enrichment: str
) -> None:
    """The answer is final all the same."""
    spec = msgspec.structs.replace(TONES, remember=remember)
    serve_student(store, spec, as_teacher(tones()))
    service = make_service(store, sqlite_url)
    answer = ask(service, "tones", TONE)
    assert (answer.source, answer.enrichment) == ("teacher", enrichment)
    assert len(service.recorder) == remember


def test_the_store_is_not_read_for_inputs_but_for_row_ids(
    store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """Its prediction may be that of an older model."""
    dataset = serve_student(store, RENTS, rents())
    rows = tmp_path / "rents.csv"
    rows.write_text("flat,area,town,rent\n17,95,Paris,1200\n18,20,Lyon,400\n", "ascii")
    assert not import_files(store, dataset, [rows]).faults
    store_prediction(store, dataset, RENT)
    service = make_service(store, sqlite_url)
    assert ask(service, "rents", RENT).model == "rents@1"
    assert ask(service, "rents", {"flat": "17"}).model == "old@1"
    # No prediction of this row is stored.
    row = ask(service, "rents", {"flat": "18"})
    assert (row.model, row.source, row.enrichment) == ("rents@1", "teacher", "done")


def test_answers_stay_in_the_response_cache(store: Store, sqlite_url: str) -> None:
    """STUDENT_TTL is for students that a teacher corrects."""
    serve_student(store, RENTS, rents())
    serve_student(store, TONES, tones())
    service = make_service(store, sqlite_url, STUDENT_TTL="0")
    ask(service, "rents", RENT, "/rents")
    ask(service, "tones", TONE, "/tones")
    cached = service.find_cached("/rents")
    assert cached is not None
    assert cached.source == "teacher"
    assert service.find_cached("/tones") is None


def test_answers_are_counted_as_the_teachers(store: Store, sqlite_url: str) -> None:
    """The pages and the metrics show them as such."""
    serve_student(store, RENTS, rents())
    service = make_service(store, sqlite_url)
    ask(service, "rents", RENT)
    assert service.counters.counts().answers == {("rents", "teacher"): 1}
    assert [source for _, source, _ in service.counters.take_served()] == ["teacher"]


@contextmanager
def without_store(url: str, folder: Path) -> Iterator[Site]:
    """Run a server whose store can then no longer be read."""
    with serving(url, folder / "log.txt") as site:
        with site.store.writing() as connection:
            connection.execute(text("ALTER TABLE generation RENAME TO mislaid_generation"))
        until(lambda: site.get("/readyz").status == 503)
        yield site


def test_without_its_store_such_a_model_still_answers_everything(
    store: Store, sqlite_url: str, tmp_path: Path
) -> None:
    """Predictions, batches, explanations and the page to try it."""
    serve_student(store, RENTS, rents())
    store.close()
    with without_store(sqlite_url, tmp_path) as site:
        for area in range(10, 200, 10):
            inputs = {"area": area, "town": "Lyon"}
            answer = site.get(f"/predict/rents?{query(**inputs)}").json()
            assert (answer["source"], answer["enrichment"]) == ("teacher", "done")
            explanation = site.get(f"/explain/rents?{query(**inputs)}").json()
            assert explanation["prediction"] == answer["prediction"]
            assert site.post("/predict/rents", [inputs]).json() == [answer]
        page = site.get("/try/rents?area=95&town=Paris", Accept="text/html")
        assert page.status == 200
        assert b'data-source="teacher"' in page.body
        assert b"/records/rents/" not in page.body
