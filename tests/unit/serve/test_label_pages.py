"""Tests of the pages that ask people for labels, without a server."""

from __future__ import annotations

import io
import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.spec.dataset_spec import DatasetSpec
from db.store.store import connect_store
from serve.api.middleware import RequestMiddleware
from serve.pages.labelling.label_browser import MOST_UNDONE, LabellingBrowser, read_browser
from serve.pages.labelling.label_choice import KEYS, make_choices
from serve.pages.labelling.label_progress import ShortMemory, retrain_goal
from serve.prediction.service import PredictionService
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones
from tests.wsgi import app_of, environ_of

KEY = "a-key-of-the-tests"


@dataclass
class Browser:
    """A browser that is signed in, without JavaScript; it follows redirects and keeps cookies."""

    app: RequestMiddleware
    api_key: str = KEY
    cookie: str = ""
    page: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, target: str, **more: Any) -> Browser:  # noqa: ANN401
        """Open a page."""
        sent = {"HTTP_ACCEPT": "text/html", "HTTP_COOKIE": self.cookie, **more}
        if self.api_key:
            sent["HTTP_AUTHORIZATION"] = f"Bearer {self.api_key}"
        started: list[Any] = []
        environ = environ_of(target, **sent)
        self.page = b"".join(self.app(environ, lambda *it: started.extend(it))).decode()
        self.status, self.headers = int(started[0][:3]), dict(started[1])
        self.cookie = self.headers.get("Set-Cookie", self.cookie).partition(";")[0]
        return self.get(self.headers["Location"]) if self.status == 303 else self

    def submit(self, **form: str) -> Browser:
        """Press a button of the page: send its form with the key of the record that it shows."""
        body = urlencode({"key": self.record, **form}).encode()
        sent = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return self.get("/label/tones", REQUEST_METHOD="POST", **sent)

    @property
    def record(self) -> str:
        """The key of the record that the page shows, "" for none."""
        shown = re.search(r'name="key" value="([0-9a-f]{32})"', self.page)
        return shown[1] if shown else ""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a store with a model of labels and one of numbers."""
    file = tmp_path_factory.mktemp("made") / "store.db"
    store = make_store(f"sqlite:///{file}")
    sentences = [{"sentence": f"n° {number}", "town": "Lyon"} for number in range(4)]
    with_labels = serve_student(store, TONES, tones())
    with_numbers = serve_student(store, RENTS, rents())
    with store.writing() as connection:
        add_rows(connection, with_labels, [new_row(TONES, one) for one in sentences], "import")
        add_rows(connection, with_numbers, [new_row(RENTS, {"area": 20}, "7")], "import")
    store.close()
    return file


def new_row(spec: DatasetSpec, raw: dict[str, Any], row_id: str | None = None) -> NewRow:
    """Return a row without a label."""
    inputs = spec.read_inputs({"town": "Lyon", **raw})
    return NewRow(spec.key(inputs), inputs, None, row_id)


@pytest.fixture
def open_browser(made: Path, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Yield a function that opens a browser on the web process of an own store."""
    url = f"sqlite:///{shutil.copy(made, tmp_path)}"
    store = connect_store(settings_for(url))
    app = app_of(
        PredictionService(direct_store(store), replace(settings_for(url), api_keys=(KEY,)))
    )
    yield lambda **options: Browser(app, **options)
    store.close()


def test_a_label_leads_to_the_next_record_until_none_is_left(
    open_browser: Callable[..., Browser],
) -> None:
    """Each record is shown once, and the progress counts the labels."""
    browser = open_browser().get("/label/tones")
    shown = []
    while browser.record:
        shown.append(browser.record)
        browser.submit(label="sad")
        assert browser.status == 200
    assert len(set(shown)) == 4
    assert "Nothing is left to label" in browser.page
    assert "4 labels since tones@1; retrain at 10." in browser.page
    assert 'action="/jobs/train/tones"' in browser.page


def test_the_page_shows_the_fields_the_answer_and_a_key_for_each_label(
    open_browser: Callable[..., Browser],
) -> None:
    """No label is chosen in advance."""
    page = open_browser().get("/label/tones").page
    assert re.search(r"<dd>n° [0-3]</dd>", page)
    assert "tones@1 answers happy." in page
    buttons = re.findall(r'name="label" value="(\w+)" data-key="(.)"', page)
    assert buttons == [("happy", "1"), ("sad", "2"), ("neutral", "3")]
    assert "checked" not in page
    assert "selected" not in page


def test_the_last_labels_of_a_browser_can_be_undone(open_browser: Callable[..., Browser]) -> None:
    """Its record is shown again, and after the first label there is nothing to undo."""
    browser = open_browser().get("/label/tones")
    first = browser.record
    assert "Undo" not in browser.page
    second = browser.submit(label="sad").record
    browser.submit(action="unsure")
    assert browser.submit(action="undo").record == second
    assert browser.submit(action="undo").record == first
    assert "Undo" not in browser.page
    assert "0 labels since tones@1" in browser.page
    assert browser.submit(action="undo").status == 200


def test_a_skipped_record_does_not_come_back(open_browser: Callable[..., Browser]) -> None:
    """Another browser gets it."""
    browser = open_browser().get("/label/tones")
    first = browser.record
    assert browser.submit(action="skip").record not in {"", first}
    # In a fair sample, each browser begins at a place of its own.
    assert open_browser().get("/label/tones").record == first


def test_a_wrong_form_keeps_the_record_and_says_what_is_wrong(
    open_browser: Callable[..., Browser],
) -> None:
    """Nothing is written."""
    browser = open_browser().get("/label/tones")
    first = browser.record
    assert browser.submit(label="").status == 400
    assert "tone: is missing" in browser.page
    assert browser.record == first
    for form, word in (
        ({"order": "any"}, "order"),
        ({"action": "go"}, "action"),
        ({"key": ""}, "key"),
    ):
        assert browser.submit(**form).status == 400
        assert f"{word}: " in browser.page
        browser.get("/label/tones")
    assert browser.submit(key="0" * 32, label="sad").status == 409
    assert "no record with the key" in browser.page
    assert "0 labels" in browser.get("/label/tones").page


def test_who_is_not_signed_in_sees_no_button(open_browser: Callable[..., Browser]) -> None:
    """A link leads to the sign-in form, and no record is claimed."""
    stranger = open_browser(api_key="").get("/label/tones")
    assert '<a href="/key?next=%2Flabel%2Ftones%3Forder%3Duncertain">' in stranger.page
    assert "<button" not in stranger.page
    assert "Set-Cookie" not in stranger.headers
    assert stranger.submit(label="sad").status == 401


def test_a_form_of_another_site_is_refused(open_browser: Callable[..., Browser]) -> None:
    """The label is not written."""
    browser = open_browser()
    browser.get("/label/tones", REQUEST_METHOD="POST", HTTP_SEC_FETCH_SITE="cross-site")
    assert browser.status == 403


def test_the_cookie_of_a_browser_is_not_for_scripts(open_browser: Callable[..., Browser]) -> None:
    """It goes to the pages of one dataset alone."""
    sent = open_browser().get("/label/tones").headers["Set-Cookie"]
    assert "; Path=/label/tones;" in sent
    assert "; HttpOnly; SameSite=Strict" in sent


def test_a_number_is_typed(open_browser: Callable[..., Browser]) -> None:
    """There are no buttons for labels, and no doubtful labels."""
    page = open_browser().get("/label/rents").page
    assert 'name="label" type="number" step="any"' in page
    assert 'name="label" value' not in page
    assert "order=issues" not in page
    assert re.search(r"rents@1 answers [0-9.]+, between .* in nine of ten cases\.", page)


def test_many_labels_are_searched_and_the_most_likely_ones_have_keys() -> None:
    """As many labels as keys are always in the same order."""
    labels = [f"label {number}" for number in range(30)]
    shares = {"label 4": 0.2, "label 9": 0.7, "no label any more": 0.1}
    few = make_choices(labels[: len(KEYS)], shares)
    assert [choice.label for choice in few] == labels[: len(KEYS)]
    assert [choice.key for choice in few] == list(KEYS)
    many = make_choices(labels, shares)
    assert [(choice.label, choice.key) for choice in many] == [("label 9", "1"), ("label 4", "2")]


def test_a_browser_can_undo_its_twenty_newest_labels() -> None:
    """A cookie that somebody has changed is another browser."""
    browser = LabellingBrowser("a" * 24)
    for number in range(MOST_UNDONE + 5):
        browser = browser.after_giving(number)
    assert browser.given[0] == MOST_UNDONE + 4
    assert len(browser.given) == MOST_UNDONE
    cookie = f"other=1; veilleuse_labelling={'a' * 24}.3.2"
    assert read_browser({"HTTP_COOKIE": cookie}) == LabellingBrowser("a" * 24, (3, 2))
    assert read_browser({"HTTP_COOKIE": cookie.replace("a.", "x.")}).given == ()


@pytest.mark.parametrize(("rows", "goal"), [(0, 10), (40, 10), (300, 30), (1810, 50), (10**6, 50)])
def test_training_again_is_worth_it_after_a_tenth_of_the_rows(rows: int, goal: int) -> None:
    """It is after ten labels at the earliest, and after fifty at the latest."""
    assert retrain_goal(rows) == goal


def test_values_are_kept_until_they_are_forgotten_or_old() -> None:
    """A value is not made twice."""
    numbers = itertools.count()
    memory: ShortMemory[int] = ShortMemory()
    assert [memory.get("a", numbers.__next__) for _time in range(2)] == [0, 0]
    memory.forget("a")
    assert memory.get("a", numbers.__next__) == 1
    old: ShortMemory[int] = ShortMemory(seconds=-1.0)
    assert [old.get("a", numbers.__next__) for _time in range(2)] == [2, 3]
