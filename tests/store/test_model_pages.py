"""Tests of the pages of a model's versions, by the application without a server."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from db.records.dataset import Dataset
from db.records.models.trained_model import active_model
from db.store.store import Store
from serve.prediction.service import PredictionService
from tests.conftest import make_store, notes_spec, register, settings_for
from tests.direct import direct_store
from tests.hand_made_student import rents, tones
from tests.store.test_exposed_app import KEY, Answer, ask, post
from tests.two_versions import (
    add_version,
    label_metrics,
    make_rents,
    make_tones,
    number_metrics,
)
from tests.wsgi import app_of

HTML = {"HTTP_ACCEPT": "text/html"}
SIGNED_IN = {"HTTP_AUTHORIZATION": f"Bearer {KEY}"}
OWN_FORM = {"HTTP_SEC_FETCH_SITE": "same-origin"}


@pytest.fixture
def store(sqlite_url: str) -> Store:
    """Return an empty store."""
    return make_store(sqlite_url)


@pytest.fixture
def get(store: Store, sqlite_url: str) -> Callable[..., Answer]:
    """Return a function that returns a page of an application that others can reach."""

    def page(target: str, **more: str) -> Answer:
        settings = replace(settings_for(sqlite_url), api_keys=(KEY,), trusted_proxies=("10.0.0.1",))
        return ask(app_of(PredictionService(direct_store(store), settings)), target, **HTML, **more)

    return page


def activate(store: Store, url: str, version: str, **headers: str) -> Answer:
    """Return the answer to the form that activates a version."""
    settings = replace(settings_for(url), api_keys=(KEY,))
    app = app_of(PredictionService(direct_store(store), settings))
    return post(app, "/models/tones/activate", f"version={version}".encode(), **HTML, **headers)


def version_in_use(store: Store, dataset: Dataset) -> int:
    """Return the active version."""
    with store.reading() as connection:
        model = active_model(connection, dataset.id)
    assert model is not None
    return model.version


def test_all_versions_are_listed_with_their_changes(
    store: Store, get: Callable[..., Answer]
) -> None:
    """The newest two are chosen for a comparison."""
    make_tones(store)
    page = get("/models/tones")
    assert page.status == 200
    assert '<a href="/models/tones/1">tones@1</a>' in page.text
    assert "+0.200 ± 0.077" in page.text
    assert "<code>python -m enrich train tones</code>" in page.text
    assert 'action="/jobs/train/tones"' in get("/models/tones", **SIGNED_IN).text
    chosen = re.findall(r'<option value="(\d+)" selected>', page.text)
    assert chosen == ["1", "2"]
    form = get("/models/tones?from=1&to=2")
    assert (form.status, form.headers["Location"]) == (303, "/models/tones/1..2")


def test_a_dataset_without_a_model_has_its_page(store: Store, get: Callable[..., Answer]) -> None:
    """Links lead there before the first training."""
    register(store, notes_spec({}))
    assert get("/models/notes").status == 200


def test_many_versions_have_pages(
    store: Store, get: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of a page still has its change since the version before."""
    monkeypatch.setattr("serve.pages.models.model_pages.VERSIONS_SHOWN", 2)
    dataset = make_tones(store)
    for _ in range(2):
        add_version(store, dataset, tones(), label_metrics([[20, 0], [0, 20]]), b"")
    first = get("/models/tones").text
    assert "?before=3" in first
    assert "scores only" not in first
    older = get("/models/tones?before=3").text
    assert "tones@2</a>" in older
    assert "scores only" in older
    assert "?before" not in older


def test_any_version_can_be_opened(store: Store, get: Callable[..., Answer]) -> None:
    """Only the numbers of the active one lead to records, whose answers are those of it."""
    make_tones(store)
    old, new = get("/models/tones/1").text, get("/models/tones/2").text
    assert "75 % of its answers are right" in old
    assert "happy answered as sad" in old
    assert "prediction=sad" not in old
    assert "prediction=sad" in new
    assert '<td class="wrong4">5</td>' in old
    assert "sentence, town" in old


def test_a_model_that_does_not_beat_guessing_says_so_on_its_pages(
    store: Store, get: Callable[..., Answer]
) -> None:
    """It is said on the list, on its own page and on a comparison with it."""
    dataset = make_tones(store)
    bad = {**label_metrics([[6680, 3], [3317, 0]]), "beats_baseline": False}
    add_version(store, dataset, tones(), bad, b"")
    for path in ("/models/tones", "/models/tones/3", "/models/tones/2..3"):
        page = get(path).text
        assert "It does not beat guessing by more than chance" in page
        assert "It never finds these labels, their recall is 0: sad." in page


def test_a_comparison_says_what_rose_and_by_how_much(
    store: Store, get: Callable[..., Answer]
) -> None:
    """Who may not list records sees how many changed, and not which."""
    make_tones(store)
    page = get("/models/tones/1..2").text
    words = "The accuracy of the teacher rose from 75.0 % to 95.0 %, by 20.0 ± 8.2 points"
    assert words in page
    assert "10 records are mended: only tones@2 is right." in page
    assert "2 records are broken: only tones@1 was right." in page
    assert "/records/tones/" not in page
    listed = get("/models/tones/1..2", **SIGNED_IN).text
    assert len(re.findall(r'<a href="/records/tones/[0-9a-f]{32}">', listed)) == 12


def test_numbers_are_compared_by_their_mean_errors(
    store: Store, get: Callable[..., Answer]
) -> None:
    """They have neither labels nor a confusion matrix."""
    make_rents(store)
    page = get("/models/rents/1..2").text
    assert "The mean error of the teacher fell from 5.00 to 1.00, by 4.00 ± 0.00" in page
    assert "The errors of 40 records are smaller" in page
    version = get("/models/rents/2").text
    assert "It is wrong by 1.00 on average; always answering the mean is wrong by 10.00." in version
    assert "Confusion" not in version
    assert get("/models/rents").status == 200


def test_versions_without_answers_are_compared_by_their_scores(
    store: Store, get: Callable[..., Answer]
) -> None:
    """The page says that the standard errors are too large."""
    dataset = make_tones(store)
    add_version(store, dataset, tones(), label_metrics([[20, 0], [0, 20]]), b"")
    page = get("/models/tones/1..3").text
    assert "rose from 75.0 % to 100.0 %" in page
    assert "their standard errors are too large" in page
    assert "The recall of the teachers, by label" in page
    numbers = make_rents(store)
    add_version(store, numbers, rents(), number_metrics(0.8), b"")
    assert "may be chance" in get("/models/rents/2..3").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/nothing", 404),
        ("/models/tones/7", 404),
        ("/models/tones/1..7", 404),
        ("/models/tones/first", 404),
        ("/models/tones/2..2", 400),
        ("/models/tones?before=x", 400),
        ("/models/tones?from=1", 400),
    ],
)
def test_what_is_not_there_is_a_problem(
    store: Store, get: Callable[..., Answer], path: str, status: int
) -> None:
    """The page says what to ask for."""
    make_tones(store)
    assert get(path).status == status


def test_another_version_is_activated_by_a_form(
    store: Store, sqlite_url: str, get: Callable[..., Answer]
) -> None:
    """Who is not signed in with an API key sees the command and no button."""
    dataset = make_tones(store)
    page = get("/models/tones/1..2").text
    assert "python -m enrich activate tones@1" in page
    assert "<code>python -m enrich train tones</code>" in page
    page = get("/models/tones/1..2", **SIGNED_IN).text
    assert "Activate tones@1</button>" in page
    assert 'action="/jobs/train/tones"' in page
    done = activate(store, sqlite_url, "1", **SIGNED_IN, **OWN_FORM)
    assert (done.status, done.headers["Location"]) == (303, "/models/tones/1")
    assert version_in_use(store, dataset) == 1
    assert "tones@1 gives the answers now." in get("/models/tones/1").text


def test_a_large_model_leaves_the_listings_to_the_command(
    store: Store, sqlite_url: str, get: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that follows says so."""
    monkeypatch.setattr("serve.pages.models.model_pages.MOST_HELD_OUT_BYTES", 10)
    dataset = make_tones(store)
    done = activate(store, sqlite_url, "1", **SIGNED_IN, **OWN_FORM)
    assert version_in_use(store, dataset) == 1
    assert "Run <code>python -m enrich activate tones@1" in get(done.headers["Location"]).text


@pytest.mark.parametrize(
    ("version", "headers", "status"),
    [
        ("1", OWN_FORM, 401),
        ("1", {**SIGNED_IN, "HTTP_SEC_FETCH_SITE": "cross-site"}, 403),
        ("7", {**SIGNED_IN, **OWN_FORM}, 404),
        ("one", {**SIGNED_IN, **OWN_FORM}, 400),
    ],
)
def test_a_refused_activation_changes_nothing(
    store: Store, sqlite_url: str, version: str, headers: dict[str, str], status: int
) -> None:
    """It needs an API key and a form of our own, and a version that exists."""
    dataset = make_tones(store)
    assert activate(store, sqlite_url, version, **headers).status == status
    assert version_in_use(store, dataset) == 2
