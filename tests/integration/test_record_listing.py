"""List, show and forget records over HTTP."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from sqlalchemy import update

from db.store import tables

from .answers import TAUGHT, teach
from .conftest import API_KEY, Reply, Site, query, serving_copy
from .test_keys import sign_in


def forget(site: Site, key: str, api_key: str | None) -> Reply:
    """Send a request to forget a record."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return site.ask("DELETE", f"/records/intents/{key}", headers=headers)


def test_a_listing_is_read_to_its_end_through_its_links(site: Site) -> None:
    """Each record appears once; the Link header agrees with the body."""
    target, keys = f"/records/intents?{query(label='purchase', rows=30)}", []
    while target:
        reply = site.get(target)
        page = reply.json()
        keys += [record["key"] for record in page["records"]]
        assert {record["label"] for record in page["records"]} == {"purchase"}
        link = f'<{page["next"]}>; rel="next"' if page["next"] else None
        assert reply.headers["Link"] == link
        target = page["next"]
    assert len(keys) == len(set(keys)) == len(site.records(label="purchase"))


def test_a_listing_has_the_same_content_as_csv_and_as_json(site: Site) -> None:
    """The address is the same but for `format=csv`."""
    target = "/records/customers?show=disagreements&rows=20"
    reply = site.get(f"{target}&format=csv")
    assert reply.content_type == "text/csv"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    records = site.get(target).json()["records"]
    assert [row["key"] for row in rows] == [record["key"] for record in records]
    assert [float(row["spending"]) for row in rows] == [
        float(record["label"]) for record in records
    ]
    assert [float(row["answer"]) for row in rows] == [record["answer"] for record in records]
    errors = [abs(float(record["label"]) - record["answer"]) for record in records]
    assert errors == sorted(errors, reverse=True)
    assert all(record["held_out"] for record in records)


def test_browsers_get_a_page_and_programs_json(site: Site) -> None:
    """The Accept header decides, unless the address has a `format`."""
    assert site.get("/records/intents", Accept="text/html").content_type == "text/html"
    assert site.get("/records/intents", Accept="*/*").content_type == "application/json"
    forced = site.get("/records/intents?format=html")
    assert forced.content_type == "text/html"
    assert "Content-Security-Policy" in forced.headers


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("show=everything", "show"),
        ("rows=0", "rows"),
        ("rows=1001", "rows"),
        ("rows=0000009999999999", "rows"),
        (f"rows={'0' * 5000}1", "rows"),
        ("group=a&show=issues", "group"),
        ("rows=%D9%A3", "rows"),
        ("after=nothing", "after"),
        ("show=uncertain&after=%5B%22a%22%5D", "after"),
        ("format=xml", "format"),
        ("label=%00", "label"),
        ("colour=red", "colour"),
    ],
)
def test_a_bad_parameter_of_a_listing_is_named(site: Site, target: str, field: str) -> None:
    """The problem names the parameter at fault."""
    reply = site.get(f"/records/intents?{target}")
    assert (reply.status, reply.json()["field"]) == (400, field)


def test_text_from_users_is_escaped_in_pages(own_site: Site) -> None:
    """Texts of records, labels, and every part of the address are escaped."""
    evil = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>"
    own_site.post("/records/intents", [{"sentence": evil}], API_KEY)
    (record,) = own_site.records(origin="api")
    key = record.key.hex()
    for target in (
        f"/records/intents/{key}",
        "/records/intents?rows=1000",
        f"/try/intents?{query(sentence=evil)}",
        f"/records/intents?{query(label=evil)}",
        f"/records/{query(x=evil)[2:]}",
        f"/key?{query(next=evil)}",
    ):
        page = own_site.get(target, Accept="text/html").body.decode()
        assert "<script>alert" not in page
        assert "<img" not in page
    assert (
        "&lt;script&gt;"
        in own_site.get(f"/records/intents/{key}", Accept="text/html").body.decode()
    )


def test_a_record_can_be_read_as_json(own_site: Site) -> None:
    """Programs get JSON; an unknown record gets 404."""
    teach(own_site.store)
    labelled = own_site.records(label="purchase")[0]
    shown = own_site.get(f"/records/intents/{labelled.key.hex()}").json()
    assert (shown["label"], shown["held_out"]) == ("purchase", True)
    assert shown["inputs"]["sentence"]
    for key in ("00" * 16, "zz", "00" * 15, "AB" * 16):
        assert own_site.get(f"/records/intents/{key}").status == 404


def test_forgetting_a_record_needs_a_key_and_deletes_it(own_site: Site) -> None:
    """Its prediction is deleted with it."""
    teach(own_site.store)
    assert own_site.predict(TAUGHT)["source"] == "teacher"
    own_site.post("/records/intents", [{"sentence": TAUGHT}], API_KEY)
    (record,) = own_site.records(origin="api")
    key = record.key.hex()
    assert forget(own_site, key, None).status == 401
    assert forget(own_site, key, "a guess").status == 401
    assert own_site.records(key=record.key)
    assert forget(own_site, key, API_KEY).json() == {"forgotten": key}
    assert not own_site.records(key=record.key)
    assert forget(own_site, key, API_KEY).status == 404


def test_a_form_on_another_site_cannot_forget_a_record(own_site: Site) -> None:
    """Not even if a browser sends the cookie of a session with it."""
    key = own_site.records()[0].key.hex()
    headers = {
        "Cookie": sign_in(own_site, API_KEY),
        "Sec-Fetch-Site": "cross-site",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    reply = own_site.ask("POST", f"/forget/intents/{key}", b"", headers)
    assert reply.status == 403
    assert own_site.records(key=bytes.fromhex(key))


def test_a_cookie_is_not_enough_to_write(own_site: Site) -> None:
    """A browser sends the cookie with every request that another page triggers."""
    key = own_site.records()[0].key.hex()
    cookie = {"Cookie": sign_in(own_site, API_KEY)}
    assert own_site.ask("DELETE", f"/records/intents/{key}", headers=cookie).status == 401
    added = own_site.ask("POST", "/records/intents", b'[{"sentence": "a"}]', cookie)
    assert added.status == 401
    assert own_site.records(key=bytes.fromhex(key))


def test_an_oversized_form_is_refused_before_it_is_parsed(site: Site) -> None:
    """Parsing a million names would take a second and a hundred MiB."""
    assert site.ask("POST", "/key", b"a&" * 500_000).status == 413
    assert site.ask("POST", "/key", b"a&" * 1500).status == 400


def test_a_key_with_special_characters_survives_the_cookie(trained: Path, tmp_path: Path) -> None:
    """Otherwise the form would ask for the key forever."""
    api_key = '"a;b" quite odd'
    with serving_copy(trained, tmp_path / "odd", READ_KEYS=api_key) as running:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = running.ask("POST", "/key", query(key=api_key).encode(), headers)
        cookie = reply.headers["Set-Cookie"].partition(";")[0]
        assert running.get("/records/intents", Cookie=cookie).status == 200


def test_a_corrected_label_is_no_longer_an_issue(own_site: Site) -> None:
    """The list of issues gets shorter as a person works through it."""
    doubted = own_site.records(label="purchase")[0]
    with own_site.store.writing() as connection:
        connection.execute(
            update(tables.record).where(tables.record.c.id == doubted.id).values(issue=True)
        )
    target = "/records/intents?show=issues"
    assert len(own_site.get(target).json()["records"]) == 1
    sentence = json.loads(doubted.inputs)["sentence"]
    same = [{"sentence": sentence, "intent": "purchase"}]
    own_site.post("/records/intents", same, API_KEY)
    assert len(own_site.get(target).json()["records"]) == 1
    own_site.post("/records/intents", [{"sentence": sentence, "intent": "irrelevant"}], API_KEY)
    assert own_site.get(target).json()["records"] == []


@pytest.mark.parametrize(
    "target", ["https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)"]
)
def test_the_sign_in_form_does_not_redirect_to_another_site(own_site: Site, target: str) -> None:
    """The `next` parameter may hold any address."""
    body = query(key=API_KEY, next=target).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = own_site.ask("POST", "/key", body, headers)
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert "HttpOnly" in reply.headers["Set-Cookie"]


def test_browsers_get_errors_as_pages(site: Site) -> None:
    """Programs still get a problem as JSON."""
    page = site.get("/records/nothing", Accept="text/html")
    assert (page.status, page.content_type) == (404, "text/html")
    assert "there is no dataset" in page.body.decode()
    assert site.get("/records/nothing").content_type == "application/problem+json"


def test_predictions_of_the_try_form_are_not_counted_as_served(
    own_site: Site,
) -> None:
    """Otherwise a user who tries inputs would cause drift."""
    before = own_site.get("/metrics").body.count(b"veilleuse_answers_total{")
    reply = own_site.get(f"/try/intents?{query(sentence='jamais vu')}", Accept="text/html")
    assert b'data-source="student"' in reply.body
    assert own_site.get("/metrics").body.count(b"veilleuse_answers_total{") == before
