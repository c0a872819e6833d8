"""Records over HTTP: listed, shown, forgotten."""

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


def forget(site: Site, key: str, given: str | None) -> Reply:
    """Ask for a record to be forgotten."""
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    return site.ask("DELETE", f"/records/intents/{key}", headers=headers)


def test_a_listing_is_read_to_its_end_by_its_links(site: Site) -> None:
    """Every record once; the header says what the body says."""
    target, keys = f"/records/intents?{query(label='purchase', rows=30)}", []
    while target:
        reply = site.get(target)
        page = reply.json()
        keys += [one["key"] for one in page["records"]]
        assert {one["label"] for one in page["records"]} == {"purchase"}
        link = f'<{page["next"]}>; rel="next"' if page["next"] else None
        assert reply.headers["Link"] == link
        target = page["next"]
    assert len(keys) == len(set(keys)) == len(site.records(label="purchase"))


def test_a_listing_as_csv_says_what_its_json_says(site: Site) -> None:
    """Under the same address."""
    target = "/records/customers?show=disagreements&rows=20"
    reply = site.get(f"{target}&format=csv")
    assert reply.content_type == "text/csv"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    records = site.get(target).json()["records"]
    assert [row["key"] for row in rows] == [one["key"] for one in records]
    assert [float(row["spending"]) for row in rows] == [float(one["label"]) for one in records]
    assert [float(row["answer"]) for row in rows] == [one["answer"] for one in records]
    errors = [abs(float(one["label"]) - one["answer"]) for one in records]
    assert errors == sorted(errors, reverse=True)
    assert all(one["held_out"] for one in records)


def test_browsers_get_a_page_and_programs_json(site: Site) -> None:
    """By what they accept, unless the address says it."""
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
def test_what_a_listing_does_not_know_is_named(site: Site, target: str, field: str) -> None:
    """With what would do."""
    reply = site.get(f"/records/intents?{target}")
    assert (reply.status, reply.json()["field"]) == (400, field)


def test_what_is_put_into_a_record_is_never_taken_for_a_part_of_the_page(own_site: Site) -> None:
    """Text of records, names of labels, whatever the address says."""
    evil = "<script>alert(1)</script>\"'<img src=x onerror=alert(2)>"
    own_site.post("/records/intents", [{"sentence": evil}], API_KEY)
    (made,) = own_site.records(origin="api")
    key = made.key.hex()
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


def test_a_record_says_what_is_known_of_it(own_site: Site) -> None:
    """As JSON for programs; of one that is not there, 404."""
    teach(own_site.store)
    label = own_site.records(label="purchase")[0]
    known = own_site.get(f"/records/intents/{label.key.hex()}").json()
    assert (known["label"], known["held_out"]) == ("purchase", True)
    assert known["inputs"]["sentence"]
    for key in ("00" * 16, "zz", "00" * 15, "AB" * 16):
        assert own_site.get(f"/records/intents/{key}").status == 404


def test_a_forgotten_record_is_gone_and_needs_a_key_to_be(own_site: Site) -> None:
    """Its prediction goes with it."""
    teach(own_site.store)
    assert own_site.predict(TAUGHT)["source"] == "teacher"
    own_site.post("/records/intents", [{"sentence": TAUGHT}], API_KEY)
    (made,) = own_site.records(origin="api")
    key = made.key.hex()
    assert forget(own_site, key, None).status == 401
    assert forget(own_site, key, "a guess").status == 401
    assert own_site.records(key=made.key)
    assert forget(own_site, key, API_KEY).json() == {"forgotten": key}
    assert not own_site.records(key=made.key)
    assert forget(own_site, key, API_KEY).status == 404


def test_a_form_from_elsewhere_cannot_forget(own_site: Site) -> None:
    """A browser sends its cookie along; the key has to stand in the form."""
    key = own_site.records()[0].key.hex()
    headers = {
        "Cookie": f"veilleuse_key={API_KEY}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    reply = own_site.ask("POST", f"/forget/intents/{key}", b"", headers)
    assert reply.status == 403
    assert own_site.records(key=bytes.fromhex(key))


def test_a_cookie_is_not_enough_to_write(own_site: Site) -> None:
    """A browser sends it along with whatever another page makes it send."""
    key = own_site.records()[0].key.hex()
    cookie = {"Cookie": f"veilleuse_key={API_KEY}"}
    assert own_site.ask("DELETE", f"/records/intents/{key}", headers=cookie).status == 401
    added = own_site.ask("POST", "/records/intents", b'[{"sentence": "a"}]', cookie)
    assert added.status == 401
    assert own_site.records(key=bytes.fromhex(key))


def test_a_form_of_any_size_is_refused_before_it_is_taken_apart(site: Site) -> None:
    """A million names would take a second and a hundred MiB."""
    assert site.ask("POST", "/key", b"a&" * 500_000).status == 413
    assert site.ask("POST", "/key", b"&".join(b"a%d" % n for n in range(500))).status == 400


def test_a_key_of_odd_characters_comes_back_from_the_cookie_as_it_was(
    trained: Path, tmp_path: Path
) -> None:
    """Else the form would ask for it for ever."""
    odd = '"a;b" q'
    with serving_copy(trained, tmp_path / "odd", READ_KEYS=odd) as running:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = running.ask("POST", "/key", query(key=odd).encode(), headers)
        cookie = reply.headers["Set-Cookie"].partition(";")[0]
        assert running.get("/records/intents", Cookie=cookie).status == 200


def test_a_label_that_was_mended_is_no_issue_any_more(own_site: Site) -> None:
    """The list grows shorter as a person works through it."""
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
def test_the_form_for_the_key_leads_nowhere_else(own_site: Site, target: str) -> None:
    """Whatever its address says."""
    body = query(key=API_KEY, next=target).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = own_site.ask("POST", "/key", body, headers)
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert "HttpOnly" in reply.headers["Set-Cookie"]


def test_pages_say_what_is_wrong_as_pages(site: Site) -> None:
    """And programs get the problem as ever."""
    page = site.get("/records/nothing", Accept="text/html")
    assert (page.status, page.content_type) == (404, "text/html")
    assert "there is no dataset" in page.body.decode()
    assert site.get("/records/nothing").content_type == "application/problem+json"


def test_trying_counts_in_no_figure_of_what_was_served(
    own_site: Site,
) -> None:
    """Else whoever tries makes the drift."""
    before = own_site.get("/metrics").body.count(b"veilleuse_answers_total{")
    reply = own_site.get(f"/try/intents?{query(sentence='jamais vu')}", Accept="text/html")
    assert b'data-source="student"' in reply.body
    assert own_site.get("/metrics").body.count(b"veilleuse_answers_total{") == before
