"""Tests of the pages that take files and show jobs, without a server."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from db.jobs.job import DONE, RECEIVING, RUNNING, WAITING, Job, create_job, find_job, list_jobs
from db.jobs.job_claim import claim_job, claim_of, fail_job, finish_job, report_progress
from db.jobs.job_file import INPUT, OUTPUT, PART_BYTES, read_file, write_file
from db.store.store import Store
from serve.api.access.body_limit import PLAIN
from serve.api.middleware import RequestMiddleware
from serve.api.wsgi import WAIT_UNTIL_READ
from serve.pages import paced_download
from serve.pages.jobs import download
from serve.pages.jobs.upload import safe_name
from serve.prediction.service import PredictionService
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.hand_made_student import TONES, serve_student, tones
from tests.wsgi import app_of, environ_of

KEY = "a-key-of-the-tests"
BOUNDARY = "edge"
SIGNED_IN = {"HTTP_AUTHORIZATION": f"Bearer {KEY}", "HTTP_ACCEPT": "text/html"}
MIB = 2**20


class Site:
    """An application with a store, and a way to ask it."""

    def __init__(self, folder: Path, **changes: Any) -> None:  # noqa: ANN401  of any setting
        url = f"sqlite:///{folder / 'store.db'}"
        self.store: Store = make_store(url)
        serve_student(self.store, TONES, tones())
        settings = replace(settings_for(url), **{"api_keys": (KEY,), "upload_mib": 1.0, **changes})
        self.app: RequestMiddleware = app_of(PredictionService(direct_store(self.store), settings))

    def ask(self, target: str, **more: Any) -> tuple[int, dict[str, str], str]:  # noqa: ANN401
        """Return the status, the headers and the body of a response."""
        started: list[Any] = []
        environ = environ_of(target, **{**SIGNED_IN, **more})
        body = b"".join(self.app(environ, lambda *status: started.extend(status)))
        return int(started[0][:3]), dict(started[1]), body.decode()

    def post(self, target: str, body: bytes, **more: Any) -> tuple[int, dict[str, str], str]:  # noqa: ANN401
        """Return the response to a form."""
        environ = {
            "REQUEST_METHOD": "POST",
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "wsgi.input": io.BytesIO(body),
            **more,
        }
        return self.ask(target, **environ)

    def upload(
        self,
        target: str,
        name: str,
        data: bytes,
        **more: Any,  # noqa: ANN401
    ) -> tuple[int, dict[str, str], str]:
        """Return the response to a form with a file."""
        form = {"CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}", **more}
        return self.post(target, multipart(name, data), **form)

    def job(self, job_id: int) -> Job:
        """Return a job."""
        with self.store.reading() as connection:
            found = find_job(connection, job_id)
        assert found is not None
        return found

    def do(self, output: bytes = b"", **result: object) -> None:
        """Do the next job as a worker does, with this result."""
        job = self.store.write(partial(claim_job, worker_id=1))
        assert job is not None
        write_file(self.store, job.id, OUTPUT, [output], MIB)
        self.store.write(partial(finish_job, claim=claim_of(job, 1), result=result))


def multipart(name: str, data: bytes, **fields: str) -> bytes:
    """Return a form with a file, as a browser sends it."""
    head = b'--edge\r\nContent-Disposition: form-data; name="%s"'
    parts = [
        head % key.encode() + b"\r\n\r\n%s\r\n" % text.encode() for key, text in fields.items()
    ]
    file = head % b"file" + b'; filename="%s"\r\nContent-Type: text/csv\r\n\r\n' % name.encode()
    return b"".join([*parts, file, data, b"\r\n--edge--\r\n"])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site that takes files of 1 MiB."""
    return Site(tmp_path)


def test_an_uploaded_file_becomes_a_job_with_the_same_bytes(site: Site) -> None:
    """The browser then goes to the page of the job."""
    data = bytes(range(256)) * 3000
    status, headers, _ = site.upload("/batch/tones", "a/b/Ma fête.csv", data)
    assert (status, headers["Location"]) == (303, "/jobs/1")
    assert b"".join(read_file(site.store, 1, INPUT)) == data
    job = site.job(1)
    assert (job.state, job.kind, job.dataset) == (WAITING, "predict", "tones")
    assert (job.parameters["file_name"], job.author[:4]) == ("Ma fête.csv", "key ")


def test_the_fields_of_the_form_come_with_the_file_of_a_new_dataset(site: Site) -> None:
    """An unknown decimal mark is left out."""
    form = {"CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}"}
    body = multipart("shop.parquet", b"PAR1", target="spent", decimal="x")
    assert site.post("/add", body, **form)[0] == 303
    assert site.job(1).parameters == {"file_name": "shop.parquet", "target": "spent"}


@pytest.mark.parametrize(
    ("status", "words", "more"),
    [
        (401, "sign in with a key from API_KEYS", {"HTTP_AUTHORIZATION": ""}),
        (403, "a page of another site", {"HTTP_SEC_FETCH_SITE": "cross-site"}),
        (415, "send multipart/form-data", {"CONTENT_TYPE": "text/csv"}),
        (415, "send it as it is", {"HTTP_CONTENT_ENCODING": "gzip"}),
        (411, "has no Content-Length", {"CONTENT_LENGTH": ""}),
        (400, "cannot be read", {"CONTENT_TYPE": "multipart/form-data; boundary=other"}),
        (400, "cannot be read", {"CONTENT_LENGTH": "70"}),
    ],
)
def test_a_form_that_cannot_be_taken_is_refused_with_the_reason(
    site: Site, status: int, words: str, more: dict[str, str]
) -> None:
    """Nothing of it is kept."""
    answer = site.upload("/batch/tones", "a.csv", b"town\nLyon\n", **more)
    assert (answer[0], words in answer[2]) == (status, True), answer[2]
    with site.store.reading() as connection:
        assert list_jobs(connection) == []


@pytest.mark.parametrize(
    ("status", "name", "size", "words"),
    [
        (413, "a.csv", MIB + 1, "more than 1,048,576 bytes, the limit of UPLOAD_MIB"),
        (415, "a.exe", 1, "ends with .exe; send one that ends with .csv"),
        (400, "", 1, "the form has no file"),
    ],
)
def test_a_file_that_cannot_be_taken_leaves_no_job(
    site: Site, status: int, name: str, size: int, words: str
) -> None:
    """A file is known to be too large only once it has come."""
    answer = site.upload("/add", name, b"x" * size)
    assert (answer[0], words in answer[2]) == (status, True), answer[2]
    with site.store.reading() as connection:
        assert list_jobs(connection) == []


def test_a_key_has_few_unfinished_jobs(site: Site) -> None:
    """The eleventh file is refused until a worker has done one."""
    for _ in range(10):
        assert site.upload("/batch/tones", "a.csv", b"town\n")[0] == 303
    assert site.upload("/batch/tones", "a.csv", b"town\n")[0] == 429


def test_without_uploads_the_pages_say_so(tmp_path: Path) -> None:
    """UPLOAD_MIB=0 turns them off."""
    off = Site(tmp_path, upload_mib=0.0)
    assert "Uploads are off" in off.ask("/add")[2]
    assert off.upload("/add", "a.csv", b"a\n")[0] == 403


def test_the_forms_are_shown_to_those_who_may_send_them(site: Site) -> None:
    """Others are told how to sign in."""
    for path, words in (("/batch/tones", "sentence"), ("/add", "Column to predict")):
        page = site.ask(path)[2]
        assert 'enctype="multipart/form-data"' in page
        assert words in page
        stranger = site.ask(path, HTTP_AUTHORIZATION="")[2]
        assert 'type="file"' not in stranger
        assert f"/key?next={path.replace('/', '%2F')}" in stranger


def test_servers_open_only_these_routes_for_large_bodies_and_only_to_api_keys(
    site: Site, tmp_path: Path
) -> None:
    """They ask before they read the body."""

    def most_bytes(by: Site, target: str, /, **more: str) -> int:
        return by.app.find_body_limit(environ_of(target, **{**SIGNED_IN, **more})).most_bytes

    post = {"REQUEST_METHOD": "POST"}
    for target in ("/batch/tones", "/production/tones", "/add"):
        assert most_bytes(site, target, **post) > MIB, target
    for target, more in (
        ("/batch/tones", {}),
        ("/production/tones", {}),
        ("/jobs/1/add", post),
        ("/records/tones", post),
        ("/add", {**post, "HTTP_AUTHORIZATION": ""}),
        ("/add", {**post, "HTTP_AUTHORIZATION": "Bearer wrong-key"}),
    ):
        assert most_bytes(site, target, **more) == PLAIN.most_bytes, target
    (tmp_path / "off").mkdir()
    off = Site(tmp_path / "off", upload_mib=0.0)
    assert most_bytes(off, "/add", **post) == PLAIN.most_bytes


def test_a_job_shows_its_progress_and_why_nothing_happens(site: Site) -> None:
    """Without a worker the page says how to start one."""
    site.upload("/batch/tones", "a.csv", b"town\nLyon\n")
    page = site.ask("/jobs/1")[2]
    assert "python -m enrich run" in page
    assert "waiting for a worker" in page
    job = site.store.write(partial(claim_job, worker_id=1))
    assert job is not None
    report = partial(report_progress, claim=claim_of(job, 1), step="predicting", done=30, total=120)
    site.store.write(report)
    assert site.job(1).state == RUNNING
    page = site.ask("/jobs/1")[2]
    assert 'value="25"' in page
    assert "predicting the rows: 30 of 120 rows" in page
    assert "25 %" in site.ask("/jobs")[2]


def test_the_result_is_sent_under_its_name_and_only_to_those_who_may_list(
    tmp_path: Path,
) -> None:
    """Nor do the pages show strangers anything."""
    site = Site(tmp_path, trusted_proxies=("10.0.0.1",))
    site.upload("/batch/tones", "a.csv", b"town\nLyon\n")
    assert site.ask("/jobs/1/result")[0] == 404
    site.do(b"town,prediction\nLyon,x\n", file_name="a-predictions.csv", rows=1, errors=0)
    assert "Download a-predictions.csv" in site.ask("/jobs/1")[2]
    status, headers, body = site.ask("/jobs/1/result")
    assert (status, body) == (200, "town,prediction\nLyon,x\n")
    assert headers["Content-Disposition"].startswith('attachment; filename="a-predictions.csv"')
    assert headers["Content-Length"] == str(len(body))
    for path in ("/jobs", "/jobs/1", "/jobs/1/result", "/add", "/batch/tones"):
        assert site.ask(path, HTTP_AUTHORIZATION="", HTTP_ACCEPT="")[0] == 401, path


def test_a_large_result_waits_for_its_client_and_comes_one_at_a_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes away makes room for the next one."""
    monkeypatch.setattr(download, "LARGE_BYTES", 0)
    monkeypatch.setattr(paced_download, "AHEAD_BYTES", 0)
    site.upload("/batch/tones", "a.csv", b"town\nLyon\n")
    site.do(b"x" * (2 * PART_BYTES), file_name="a-predictions.csv", rows=1, errors=0)
    waits: list[int] = []
    slow = {WAIT_UNTIL_READ: lambda: waits.append(1)}
    environ = environ_of("/jobs/1/result", **SIGNED_IN, **slow)
    body = site.app(environ, lambda *_: None)
    assert len(next(iter(body))) == PART_BYTES
    assert site.ask("/jobs/1/result", **slow)[0] == 503
    assert hasattr(body, "close")
    body.close()
    assert len(site.ask("/jobs/1/result", **slow)[2]) == 2 * PART_BYTES
    assert waits == [1, 1]


def test_a_whole_listing_waits_for_its_client_and_comes_one_at_a_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise four slow clients would hold all threads, and their answers fill the disk."""
    monkeypatch.setattr(paced_download, "AHEAD_BYTES", 0)
    waits: list[int] = []
    slow = {WAIT_UNTIL_READ: lambda: waits.append(1)}
    target = "/records/tones?format=csv&rows=all"
    body = site.app(environ_of(target, **SIGNED_IN, **slow), lambda *_: None)
    assert next(iter(body)).startswith(b"key,")
    assert site.ask(target, **slow)[0] == 503
    assert hasattr(body, "close")
    body.close()
    assert site.ask(target, **slow)[0] == 200
    assert waits


def test_labels_that_came_later_are_sent_in_a_file(site: Site) -> None:
    """The job then says what became of them, and which rows could not be used."""
    page = site.ask("/production/tones")[2]
    for words in ('action="/production/tones"', "<code>request_id</code>", "<code>sentence</code>"):
        assert words in page
    assert 'type="file"' not in site.ask("/production/tones", HTTP_AUTHORIZATION="")[2]
    assert site.upload("/production/other", "a.csv", b"tone\n")[0] == 404
    assert site.upload("/production/tones", "a.csv", b"tone\n", HTTP_AUTHORIZATION="")[0] == 401
    data = b"sentence,tone\nmerci,warm\n"
    assert site.upload("/production/tones", "truth.csv", data)[1]["Location"] == "/jobs/1"
    job = site.job(1)
    assert (job.state, job.kind, job.dataset) == (WAITING, "labels", "tones")
    counts: dict[str, Any] = {
        "added": 1200,
        "corrected": 1,
        "unchanged": 0,
        "records": 2,
        "judged": 1100,
    }
    faults = [f"truth.csv:{line}: tone: must be one of warm, cold" for line in range(7, 27)]
    site.do(**counts, rows=1201, without=1, errors=30, faults=faults)
    page = site.ask("/jobs/1")[2]
    for words in (
        "1,100 labels were compared with the answers that were given.",
        "30 rows could not be used.",
        "Below are the first 20 of them.",
        "truth.csv:7: tone: must be one of warm, cold",
        'href="/production/tones"',
    ):
        assert words in page, words


def test_a_dataset_that_has_taken_the_name_of_a_deleted_one_is_not_replaced(site: Site) -> None:
    """A job may go on with the dataset that it has made, and with no other of that name."""
    site.upload("/add", "shop.csv", b"town,size,spent\n")
    form = b"name=tones&use-0=on&type-0=choice"
    for registered_id, status in ((0, 400), (1, 303)):
        job = site.job(1)
        result: dict[str, Any] = {**job.result, "draft": DRAFT, "registered_id": registered_id}
        site.do(b"", **result)
        assert site.post("/jobs/1/add", form)[0] == status
        site.post("/jobs/1/infer", b"target=spent")


def test_the_name_of_a_file_fits_on_any_disk() -> None:
    """A name has 255 bytes at most, of which a letter may take four."""
    name = safe_name("\N{MATHEMATICAL BOLD SMALL A}" * 200 + ".csv")
    assert len(name.encode()) < 160
    assert name.endswith("\N{MATHEMATICAL BOLD SMALL A}.csv")


def test_a_draft_is_a_form_that_makes_a_dataset(site: Site) -> None:
    """The spec has what was chosen in the form, and the job goes on under its id."""
    site.upload("/add", "shop.csv", b"town,size,spent\n")
    site.do(draft=DRAFT)
    page = site.ask("/jobs/1")[2]
    assert 'name="use-0"' in page
    assert "has one value" in page
    status, _, page = site.post("/jobs/1/add", b"name=Shop&use-0=on&type-0=choice")
    assert (status, "key name" in page) == (400, True)
    assert site.post("/jobs/1/add", b"name=tones&use-0=on&type-0=choice")[0] == 400
    assert site.post("/jobs/1/add", b"name=shop&use-0=on&type-0=choice")[0] == 303
    job = site.job(1)
    assert (job.kind, job.state, job.dataset) == ("add", WAITING, "shop")
    assert list(job.parameters["spec"]["fields"]) == ["town"]
    assert site.post("/jobs/1/add", b"name=shop&use-0=on&type-0=choice")[0] == 409
    assert site.post("/jobs/1/infer", b"target=size")[0] == 409


def test_a_draft_can_be_made_again_for_another_column(site: Site) -> None:
    """The file is not sent a second time, also where no draft could be made of it."""
    site.upload("/add", "shop.csv", b"town,size,spent\n")
    job = site.store.write(partial(claim_job, worker_id=1))
    assert job is not None
    site.store.write(partial(fail_job, claim=claim_of(job, 1), reason="town has dates"))
    page = site.ask("/jobs/1")[2]
    assert "The job failed: town has dates" in page
    assert 'action="/jobs/1/infer"' in page
    assert site.post("/jobs/1/infer", b"target=town&decimal=%2C")[0] == 303
    site.do(draft=DRAFT)
    assert site.post("/jobs/1/infer", b"target=size")[0] == 303
    expected = {"file_name": "shop.csv", "target": "size", "decimal": ","}
    assert site.job(1).parameters == expected


def test_training_is_asked_for_once_and_jobs_can_be_deleted(site: Site) -> None:
    """A second click leads to the job of the first one."""
    for _ in range(2):
        assert site.post("/jobs/train/tones", b"")[1]["Location"] == "/jobs/1"
    assert site.post("/jobs/train/unknown", b"")[0] == 404
    assert site.post("/jobs/1/delete", b"", HTTP_SEC_FETCH_SITE="cross-site")[0] == 403
    assert site.post("/jobs/1/delete", b"", HTTP_AUTHORIZATION="")[0] == 401
    assert site.post("/jobs/1/delete", b"")[0] == 303
    assert site.ask("/jobs/1")[0] == 404


def test_jobs_are_listed_with_what_came_of_them(site: Site) -> None:
    """The newest is the first; a file that is still coming is shown too."""
    site.post("/jobs/train/tones", b"")
    site.do(dataset="tones", model="tones@2", version=2, active=False, reason="it is worse")
    site.store.write(partial(create_job, kind="infer", author="key a", state=RECEIVING))
    page = site.ask("/jobs")[2]
    assert page.index("2: Draft of a new dataset") < page.index("1: Training")
    assert site.job(1).state == DONE
    assert "the earlier one stays: it is worse" in site.ask("/jobs/1")[2]
    assert 'href="/models/tones/1..2"' in site.ask("/jobs/1")[2]


DRAFT = {
    "toml": "name = 'shop'",
    "spec": {
        "name": "shop",
        "kind": "regression",
        "target": "spent",
        "fields": {"town": {"type": "choice", "optional": True}, "note": {"type": "text"}},
        "enrichers": {"text_profile": {"use": "", "reads": [], "config": {}}},
    },
    "target": "spent",
    "names": ["town", "note", "size", "spent"],
    "words": "numbers to predict",
    "columns": [
        {"name": "town", "type": "choice", "field": "town", "words": "choice, 3 distinct"},
        {"name": "note", "type": "text", "field": "note", "words": "text, 9 distinct"},
        {
            "name": "size",
            "type": "not used",
            "note": "has one value",
            "proposed": "size",
            "words": "not used, has one value",
        },
    ],
    "notes": [],
    "warnings": [],
}
