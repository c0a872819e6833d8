"""What a server shows to whom: host names, records without keys, limits per client."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import API_KEY, Reply, Site, query, serving_copy, until

ASKED = "Le numéro de Léa est 4711"
FORMULA = '=HYPERLINK("http://attacker.example","ouvrir")'
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def exposed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server without READ_KEYS behind a proxy, which a client has asked something."""
    more = {"TRUSTED_PROXIES": "127.0.0.1", "CLIENT_REQUESTS": "0.5"}
    with serving_copy(trained, tmp_path_factory.mktemp("exposed"), **more) as running:
        running.predict(ASKED)
        until(lambda: [row for row in running.records(origin="request") if "4711" in row.inputs])
        yield running


@pytest.fixture(scope="module")
def private(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server without READ_KEYS for the users of this machine."""
    with serving_copy(trained, tmp_path_factory.mktemp("private")) as running:
        yield running


def test_a_rebound_name_is_not_answered(private: Site) -> None:
    """A page of another site would read what people of this machine asked."""
    for path in ("/records/intents", "/predict/intents?sentence=a", "/", "/metrics"):
        reply = private.get(path, Host=f"attacker.example:{private.port}")
        assert (reply.status, reply.content_type) == (421, "application/problem+json")
        assert "ALLOWED_HOSTS" in reply.json()["detail"]
        assert private.get(path, Host=f"localhost:{private.port}").status == 200
    assert private.get("/livez", Host="attacker.example").status == 200


def test_records_of_a_server_that_others_reach_need_a_key(exposed: Site) -> None:
    """Predictions do not."""
    client = {"X_Forwarded_For": "192.0.2.1"}
    key = next(row.key for row in exposed.records(origin="request")).hex()
    for path in ("/records/intents", f"/records/intents/{key}"):
        refused = exposed.get(path, **client)
        assert refused.status == 401
        assert "READ_KEYS is not set" in refused.json()["detail"]
        assert exposed.get(path, **client, **PAGE).headers["Location"].startswith("/key?next=")
        allowed = exposed.get(path, Authorization=f"Bearer {API_KEY}", **client)
        assert allowed.status == 200
    assert exposed.get("/predict/intents?sentence=a", **client).status == 200


def test_what_others_asked_is_no_example(exposed: Site) -> None:
    """The front page and the form are for everybody; they say that no key is needed."""
    client = {"X_Forwarded_For": "192.0.2.2"}
    front = exposed.get("/", **client, **PAGE)
    assert front.status == 200
    assert "READ_KEYS is not set" in front.body.decode()
    for page in (front, exposed.get("/try/intents", **client, **PAGE)):
        assert "4711" not in page.body.decode()


def test_a_server_that_others_reach_without_keys_warns_at_its_start(exposed: Site) -> None:
    """Nobody may have meant it."""
    assert "READ_KEYS is not set" in exposed.log.read_text()


def pages(site: Site, target: str) -> Iterator[Reply]:
    """Yield a listing, page by page."""
    while target:
        page = site.get(target)
        yield page
        target = str(page.headers.get("Link", "")).partition(">")[0].removeprefix("<")


def test_a_text_in_a_listing_is_no_formula_of_a_spreadsheet(private: Site) -> None:
    """JSON has the text as it is."""
    private.predict(FORMULA)
    until(lambda: [row for row in private.records(origin="request") if "ouvrir" in row.inputs])
    tables = [
        page.body.decode() for page in pages(private, "/records/intents?format=csv&rows=1000")
    ]
    cells = [cell for table in tables for row in csv.reader(io.StringIO(table)) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell.startswith("=")]
    listed = [page.json()["records"] for page in pages(private, "/records/intents?rows=1000")]
    assert FORMULA in [one["inputs"]["sentence"] for records in listed for one in records]


def ask_often(site: Site, address: str, count: int) -> list[Reply]:
    """Ask as a client that a proxy names."""
    target = f"/predict/intents?{query(sentence='encore')}"
    return [site.get(target, X_Forwarded_For=address) for _ in range(count)]


def test_a_client_that_asks_too_often_must_wait_and_others_need_not(exposed: Site) -> None:
    """The health routes have no limit; a key has one of its own."""
    replies = ask_often(exposed, "192.0.2.3", 30)
    assert [reply.status for reply in replies[:20]] == [200] * 20
    assert replies[-1].status == 429
    assert replies[-1].content_type == "application/problem+json"
    assert "CLIENT_REQUESTS" in replies[-1].json()["detail"]
    assert int(replies[-1].headers["Retry-After"]) >= 1
    assert ask_often(exposed, "192.0.2.4", 1)[0].status == 200
    guest = {"X_Forwarded_For": "192.0.2.3"}
    assert exposed.get("/livez", **guest).status == 200
    assert exposed.get("/metrics", Authorization=f"Bearer {API_KEY}", **guest).status == 200


def test_a_page_is_kept_apart_from_other_sites(private: Site) -> None:
    """No other site may frame it, hold its window, or learn where a link came from."""
    for path in ("/", "/docs", "/records/intents", "/nothing"):
        headers = private.get(path, **PAGE).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in headers
