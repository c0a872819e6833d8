"""Tables in CSV: `POST /predict/NAME` takes and returns `text/csv`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import sample_spec

from .conftest import API_KEY, Reply, Site, query, serving_copy, until

SPEC = sample_spec("intents")
CSV = {"Content-Type": "text/csv"}
INTENT_COLUMNS = ["prediction", "probability", "source", "model", "error"]
CUSTOMER_COLUMNS = ["prediction", "interval_low", "interval_high", "source", "model", "error"]


@pytest.fixture(scope="module", params=["waitress", "granian"])
def table_site(
    trained: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """Yield a site of each server."""
    folder = tmp_path_factory.mktemp(str(request.param))
    with serving_copy(trained, folder, SERVER=str(request.param)) as running:
        yield running


def post(site: Site, body: str | bytes, name: str = "intents", **headers: str) -> Reply:
    """Send a table."""
    data = body.encode() if isinstance(body, str) else body
    return site.ask("POST", f"/predict/{name}", data, CSV | headers)


def rows_of(reply: Reply) -> list[dict[str, str]]:
    """Return the rows of a table that came back."""
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))


def test_the_rows_come_back_with_the_answers_of_single_requests(table_site: Site) -> None:
    """In their order and with their own columns, row ids and labels too."""
    text = 'nr,sentence\r\n7,"un vol, pour ""Oslo"""\r\n8,quel film ce soir\r\n'
    reply = post(table_site, text)
    first, second = rows_of(reply)
    lines = reply.body.decode().split("\r\n")
    assert lines[0] == f"nr,sentence,{','.join(INTENT_COLUMNS)}"
    assert lines[1].startswith('7,"un vol, pour ""Oslo""",')
    for row, nr in ((first, "7"), (second, "8")):
        answer = table_site.predict(row["sentence"])
        assert row["nr"] == nr
        assert row["prediction"] == answer["prediction"]
        assert float(row["probability"]) == answer["probabilities"][answer["prediction"]]
        assert (row["source"], row["model"], row["error"]) == (
            answer["source"],
            answer["model"],
            "",
        )


def test_a_regression_has_the_ends_of_its_interval(table_site: Site) -> None:
    """The table may use another delimiter."""
    reply = post(table_site, "age;education;income\n30;PhD;9000\n", "customers")
    header, line = reply.body.decode().splitlines()
    assert header.split(";")[3:] == CUSTOMER_COLUMNS
    answer = table_site.get(
        f"/predict/customers?{query(age=30, education='PhD', income=9000)}"
    ).json()
    cells = [answer["prediction"], *answer["interval"], answer["source"], answer["model"], ""]
    assert line.split(";")[3:] == [str(cell) for cell in cells]


def test_a_bad_row_has_its_reason(table_site: Site) -> None:
    """The other rows are answered."""
    text = "age,education,income\nold,PhD,1\n30,PhD\n30,PhD,9000\n"
    old, short, good = rows_of(post(table_site, text, "customers"))
    assert (old["prediction"], old["error"]) == ("", "age: must be a number")
    assert short["error"].startswith("has 2 cells, the header has 3")
    assert good["prediction"]
    assert good["error"] == ""


def test_a_table_of_many_parts_is_complete(table_site: Site) -> None:
    """More rows than are made at once."""
    sentences = [f"un train pour Lille le {n}" for n in range(1234)]
    reply = post(table_site, "\ufeffsentence\n" + "\n".join(sentences))
    assert reply.body.startswith(b"\xef\xbb\xbfsentence,prediction,")
    rows = reply.body.decode("utf-8-sig").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == sentences
    assert all(row.count(",") == 5 for row in rows)


def test_a_table_may_be_answered_as_json(table_site: Site) -> None:
    """The array is the one that the same inputs in JSON get."""
    reply = post(
        table_site,
        "age,education,income\n30,PhD,9000\nold,PhD,1\n",
        "customers",
        Accept="application/json",
    )
    items = [
        {"age": 30, "education": "PhD", "income": 9000},
        {"age": "old", "education": "PhD", "income": 1},
    ]
    assert reply.content_type == "application/json"
    assert reply.json() == table_site.post("/predict/customers", items).json()
    empty = post(table_site, "age,education,income\n", "customers", Accept="application/json")
    assert empty.json() == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "detail"),
    [
        ("", {}, 400, "the body cannot be read as CSV: is empty"),
        ("sentence\nun vol\xe9".encode("latin-1"), {}, 400, "the body is not UTF-8"),
        ("a,b\n1,2\n3,4\n", {}, 400, "the body: has none of the columns of intents: sentence"),
        ('nr,sentence\n1,"a\n', {}, 400, "a quotation mark is opened and never closed"),
        ("sentence\na\n", {"Content-Type": "text/csv; charset=latin-1"}, 415, "latin-1"),
        ("sentence\n" + "a\n" * 5001, {}, 413, "5,001 rows"),
        (f"sentence,{','.join(f'n{n}' for n in range(1000))}\na\n", {}, 413, "1,001 columns"),
    ],
)
def test_a_table_that_cannot_be_read_gets_a_problem(
    table_site: Site, body: str | bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    """It comes before the first byte of an answer."""
    reply = post(table_site, body, **headers)
    assert (reply.status, reply.content_type) == (status, "application/problem+json")
    assert detail in reply.json()["detail"]


def test_reasons_cannot_be_had_in_a_table(table_site: Site) -> None:
    """Rather than being left out without a word."""
    reply = table_site.ask("POST", "/predict/intents?explain=true", b"sentence\na\n", CSV)
    assert reply.status == 415
    assert reply.json()["detail"].startswith("explain=true needs JSON")


def test_an_unknown_dataset_is_named(table_site: Site) -> None:
    """As in any other request."""
    assert post(table_site, "sentence\na\n", "nothing").status == 404


def test_a_table_larger_than_the_limit_is_refused(table_site: Site) -> None:
    """The limit is that of every body."""
    try:
        status = post(table_site, b"sentence\n" + b"a" * 2**21).status
    except (BrokenPipeError, ConnectionResetError):
        # waitress closes the connection before the client has sent all.
        return
    assert status == 413


def test_unseen_rows_are_counted_and_become_records(site: Site) -> None:
    """As inputs in JSON do."""
    before = counted(site)
    rows_of(post(site, "sentence\nune ligne de tableau\nune autre ligne de tableau\n"))
    assert counted(site) == before + 2
    key = SPEC.key(SPEC.read_inputs({"sentence": "une ligne de tableau"}))
    (record,) = until(lambda: site.records(key=key))
    assert record.origin == "request"


def counted(site: Site) -> float:
    """Return how many answers of intents have been counted."""
    lines = site.get("/metrics").body.decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("veilleuse_answers_total{") and 'dataset="intents"' in line
    )


@pytest.fixture(scope="module")
def locked(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a site that needs a key, and lets pages of one origin read."""
    with serving_copy(
        trained,
        tmp_path_factory.mktemp("locked"),
        ready="/livez",
        READ_KEYS=API_KEY,
        CORS_ORIGINS="https://a.example",
    ) as running:
        yield running


def test_a_table_needs_the_key_of_readers(locked: Site) -> None:
    """Pages of an allowed origin may send one."""
    assert post(locked, "sentence\na\n").status == 401
    origin = {"Origin": "https://a.example"}
    reply = post(locked, "sentence\na\n", Authorization=f"Bearer {API_KEY}", **origin)
    assert len(rows_of(reply)) == 1
    assert reply.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_openapi_names_the_format(site: Site) -> None:
    """Both of the body and of the response."""
    document: Any = json.loads(site.get("/openapi.json").body)
    operation = document["paths"]["/predict/intents"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", "text/csv"}
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/csv"}
