"""Tests of the first page, the page of a dataset and the page of the server, without a server."""

from __future__ import annotations

import gettext
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.coverage import write_counts
from db.queue.workers.worker_registry import WorkerReport, record_heartbeat, register_worker
from db.records.dataset import Dataset, PlanStep, find_dataset, set_plan
from db.store import tables
from db.store.store import Store, connect_store
from serve.pages.home import dashboard as dashboard_module
from serve.pages.language import translation
from serve.prediction.service import PredictionService
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones
from tests.wsgi import app_of, environ_of

METRICS = {
    "rows": 100,
    "records": 100,
    "beats_baseline": True,
    "teacher": {
        "accuracy": 0.82,
        "rows": 100,
        "labels": {
            "happy": {"rows": 50, "recall": 0.9, "precision": 0.9, "f1": 0.9},
            "sad": {"rows": 50, "recall": 0.0, "precision": 0.0, "f1": 0.0},
        },
        "confusion": [[50, 0], [18, 32]],
    },
    "baseline": {"accuracy": 0.5},
}
PLAN = (PlanStep("profile", "p1"), PlanStep("prediction", "m1"))
OPEN = WorkerReport("open", time.time(), records=10)


class Home:
    """A store with a dataset, and the pages about it."""

    def __init__(self, store: Store, dataset: Dataset, **settings: object) -> None:
        self.store, self.dataset = store, dataset
        url = str(store.writer.url)
        service = PredictionService(
            direct_store(store),
            replace(settings_for(url), **settings),  # type: ignore[arg-type]
        )
        self._app = app_of(service)

    def page(self, target: str = "/", **more: str) -> str:
        """Return a page as a browser gets it."""
        started: list[object] = []
        environ = environ_of(target, HTTP_ACCEPT="text/html", **more)
        body = b"".join(self._app(environ, lambda *status: started.extend(status)))
        assert started[0] == "200 OK", body.decode()
        return body.decode()

    def words(self, target: str = "/", **more: str) -> str:
        """Return the text of a page."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.page(target, **more)).split())

    def add(self, rows: int, label: str | None = "happy") -> None:
        """Add rows with sentences of their own."""
        read = TONES.read_inputs
        inputs = [read({"sentence": f"phrase {label} {at}", "town": "Lyon"}) for at in range(rows)]
        new = [NewRow(TONES.key(one), one, label) for one in inputs]
        with self.store.writing() as connection:
            add_rows(connection, self.dataset, new, "import")

    def report(self, report: WorkerReport, silent_seconds: float = 0.0) -> None:
        """Write the report of a new worker, which then falls silent for some time."""
        with self.store.writing() as connection:
            worker = register_worker(connection)
            record_heartbeat(connection, worker, report)
            seen_at = tables.worker.c.seen_at - silent_seconds
            of_worker = tables.worker.c.id == worker
            connection.execute(update(tables.worker).where(of_worker).values(seen_at=seen_at))


@pytest.fixture(scope="module")
def served_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a store of a dataset with a model, which tests must not change."""
    path = tmp_path_factory.mktemp("served") / "store.db"
    store = make_store(f"sqlite:///{path}")
    serve_student(store, TONES, tones(), **METRICS)
    store.close()
    return path


@pytest.fixture
def home(served_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return the pages of a dataset with a model; nothing is cached."""
    monkeypatch.setattr("serve.pages.home.page_cache.FRESH_SECONDS", 0.0)
    monkeypatch.setattr(dashboard_module, "COUNT_SECONDS", 0.0)
    monkeypatch.setattr(dashboard_module, "PAUSE_PER_COST", 0.0)
    monkeypatch.setattr("serve.telemetry.coverage_reader.KEEP_SECONDS", 0.0)
    monkeypatch.setattr("serve.telemetry.coverage_reader.PAUSE_PER_COST", 0.0)
    store = connect_store(settings_for(f"sqlite:///{shutil.copy(served_store, tmp_path)}"))
    with store.reading() as connection:
        dataset = find_dataset(connection, "tones")
    return Home(store, dataset)


def test_the_first_page_says_how_good_a_model_is_and_what_to_do(home: Home) -> None:
    """The verdict stands above everything else about the dataset."""
    home.add(3)
    words = home.words()
    assert "82 % right ( guessing : 50 %)" in words
    assert "3 records, 3 labelled · tones@1, trained" in words
    assert "3 things to do" not in words
    assert "It never finds these labels, their recall is 0: sad." in words
    assert words.index("82 % right") < words.index("What to do next") < words.index("Workers")


def test_a_model_is_retrained_by_a_button_for_who_may_change(home: Home) -> None:
    """All others see the command; the page leads to the form of a new dataset."""
    home.add(150)
    keyed = Home(home.store, home.dataset, api_keys=("a-key",))
    mine, others = keyed.page(HTTP_AUTHORIZATION="Bearer a-key"), keyed.page()
    assert 'action="/jobs/train/tones"' in mine
    assert "enrich train tones" not in mine
    assert "<code>python -m enrich train tones</code>" in others
    assert "/jobs/train" not in others
    assert 'href="/add"' in others
    assert "/jobs/train/tones" in keyed.page("/?dataset=tones", HTTP_AUTHORIZATION="Bearer a-key")


def test_a_backlog_is_right_while_no_worker_counts(home: Home) -> None:
    """On the page of the dataset and in the metrics; it was 0 with 800 stale records."""
    with home.store.writing() as connection:
        set_plan(connection, home.dataset, PLAN)
        write_counts(connection, home.dataset.id, 0, {"profile": 0, "prediction": 0})
        connection.execute(update(tables.progress).values(made_at=tables.progress.c.made_at - 720))
    home.add(8)
    assert "8 records wait, and no worker is running: start one" in home.words()
    assert "profile 0 of 8 8 –" in home.words("/?dataset=tones")


def test_a_record_that_is_labelled_and_asked_for_counts_in_both_numbers(home: Home) -> None:
    """The page says so."""
    home.add(2)
    with home.store.writing() as connection:
        connection.execute(update(tables.record).values(asked=True))
    words = home.words("/?dataset=tones")
    assert "With a label 2 Asked for 2 2 of them have a label as well" in words


def test_a_failing_worker_is_not_shown_as_working(home: Home) -> None:
    """Its reason and what to do stand on the page of the server, and a silent one is not open."""
    error = "EnricherError: http needs httpx; pip install httpx"
    home.report(replace(OPEN, error=error, error_at=time.time()))
    home.report(OPEN, silent_seconds=90)
    first = home.words()
    alert = "Worker 1 is failing: EnricherError: http needs httpx; pip install httpx"
    assert first.index(alert) < first.index("82 % right")
    page, words = home.page("/server"), home.words("/server")
    assert "failing" in words
    assert "What to do: pip install httpx" in words
    assert "has been silent for" in words
    assert "It works" not in words
    assert "is working" not in words
    assert page.count('class="badge bad"') == 2


def test_the_page_of_the_server_explains_its_terms(home: Home) -> None:
    """Each links to the glossary."""
    home.report(OPEN)
    page = home.page("/server")
    for name in ("p95", "turned-away", "worker", "gate"):
        assert f'href="/guide/glossary#{name}"' in page
    assert 'href="/metrics"' in page


def test_pages_are_in_the_language_of_the_browser(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks first does not decide for the others."""
    monkeypatch.setattr(translation, "_catalogue", lambda _: gettext.NullTranslations())
    french = home.page(HTTP_ACCEPT_LANGUAGE="fr")
    assert '<html lang="fr">' in french
    assert '<html lang="en">' in home.page(HTTP_ACCEPT_LANGUAGE="en")
    assert '<html lang="fr">' in home.page(HTTP_ACCEPT_LANGUAGE="fr")


def test_many_datasets_have_one_line_each_beyond_a_few_cards(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line has the links that a card has."""
    monkeypatch.setattr(dashboard_module, "MOST_SHOWN", 1)
    serve_student(home.store, RENTS, rents(), teacher={"mae": 31.2}, baseline={"mae": 120.0})
    several = Home(home.store, home.dataset)
    page = several.page()
    assert page.count('<article class="card"') == 1
    assert "More datasets" in page
    assert '<a href="/try/tones">' in page
    assert "Typically off by 31.2 (" in several.words()


def test_a_store_without_datasets_says_how_to_begin(tmp_path: Path) -> None:
    """In the browser, or with four commands."""
    store = make_store(f"sqlite:///{tmp_path / 'empty.db'}")
    service = PredictionService(direct_store(store), settings_for(str(store.writer.url)))
    body = b"".join(app_of(service)(environ_of("/", HTTP_ACCEPT="text/html"), lambda *_: None))
    page = body.decode()
    assert 'href="/add"' in page
    assert "python -m enrich train NAME" in page


def test_pages_about_the_product_are_served_by_it(home: Home) -> None:
    """They have the navigation of all pages, and the browser finds its icon."""
    for target in ("/guide", "/guide/glossary", "/docs"):
        assert 'href="/server"' in home.page(target), target
    assert "<svg" in home.page("/favicon.ico")


def test_examples_with_warnings_are_not_shown_if_there_are_others(home: Home) -> None:
    """A first example from a town that training never saw would look odd."""
    home.add(2)
    links: Callable[[str], list[str]] = re.compile(r'href="/try/tones\?([^"]+)"').findall
    shown = links(home.page("/try/tones"))
    assert shown
    assert all("town=Lyon" in link or "town=Paris" in link for link in shown)
