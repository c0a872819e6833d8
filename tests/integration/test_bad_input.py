"""Bad requests are refused with a reason and change nothing in the store."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from .conftest import Reply, Site, get_request, post_request, query, until

CUSTOMER = b"/predict/customers?education=PhD&income=1000&age="
INCOME = b"/predict/customers?education=PhD&age=30&income="
LONG = b"x" * 1001
MIB = 2**20


@dataclass(frozen=True)
class Bad:
    """A bad request and its expected refusal; `field` is None if no field is at fault."""

    name: str
    request: bytes
    field: str | None = None
    status: int = 400


def bad_get(name: str, target: bytes, field: str | None = None, status: int = 400) -> Bad:
    """Return a bad GET request."""
    return Bad(name, get_request(target), field, status)


def bad_post(name: str, body: bytes, status: int = 400, target: str = "/predict/intents") -> Bad:
    """Return a bad POST request."""
    return Bad(name, post_request(target, body), None, status)


def bad_method(method: str, target: str) -> Bad:
    """Return a request with a method that the route does not have."""
    request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    return Bad(f"{method} {target}", request, None, 405)


def sentences(value: str) -> list[Bad]:
    """Return the same bad sentence on every route that takes one."""
    routes = (b"/predict", b"/predict/intents", b"/api/intent")
    encoded = value.encode()
    return [
        bad_get(f"{route.decode()} {value[:20]!r}", route + b"?sentence=" + encoded, "sentence")
        for route in routes
    ]


TEXTS = [
    *sentences(""),
    *sentences("%20%09%E2%80%83"),
    *sentences("%ff"),
    *sentences("caf%E9"),
    *sentences("%C0%AF"),
    *sentences("%ED%A0%80"),
    *sentences("a%00b"),
    *sentences("a%07b"),
    *sentences("a%C2%9Fb"),
    *sentences("x" * 1001),
    *sentences("a&sentence=b"),
    *sentences("a&sentence=a"),
    bad_get("a raw NUL", b"/predict/intents?sentence=a\x00b", "sentence"),
    bad_get("a raw bell", b"/predict/intents?sentence=a\x07b", "sentence"),
    bad_get("missing", b"/predict/intents", "sentence"),
    bad_get("missing on the flat route", b"/api/intent?other=1", "sentence"),
    bad_get("misspelt on the flat route", b"/api/intent?Sentence=a", "sentence"),
    bad_get("a name that is not UTF-8", b"/predict/intents?%ff=1&sentence=a", "query"),
]
NUMBERS = [
    *(bad_get(f"age {age!r}", CUSTOMER + age, "age") for age in (b"", b"old", b"nan", b"1_0")),
    *(bad_get(f"age {age!r}", CUSTOMER + age, "age") for age in (b"1.5", b"-1", b"131", b"0x1e")),
    bad_get("age in other digits", CUSTOMER + b"%D9%A3%D9%A0", "age"),
    bad_get("age of 5,000 digits", CUSTOMER + b"9" * 5000, "age"),
    bad_get("age given twice", CUSTOMER + b"30&age=30", "age"),
    *(bad_get(f"income {many!r}", INCOME + many, "income") for many in (b"inf", b"-inf", b"NaN")),
    *(bad_get(f"income {many!r}", INCOME + many, "income") for many in (b"1e999", b"-1", b"1,5")),
    bad_get("a missing field", b"/predict/customers?age=30&income=1", "education"),
]
FIELDS_AND_ROUTES = [
    bad_get("an unknown field", b"/predict/intents?sentence=a&colour=red", "colour"),
    bad_get("fields of no dataset", b"/predict?colour=red", "query"),
    bad_get("101 parameters", b"/predict?" + b"&".join(b"a%d=1" % n for n in range(101)), "query"),
    bad_get("an unknown dataset", b"/predict/nothing?sentence=a", status=404),
    bad_get("a dataset that is not UTF-8", b"/predict/intents%ff?sentence=a"),
    bad_get("a flat route that is not UTF-8", b"/api/intent%ff?sentence=a"),
    bad_get("an unknown route", b"/nothing", status=404),
    bad_get("an unknown page file", b"/docs/nothing.js", status=404),
    bad_get("a page file elsewhere", b"/docs/..%2fapp.py", status=404),
    bad_get("a NUL in the path", b"/predict/%00", status=404),
    bad_get("a line end in the path", b"/%0d%0aSet-Cookie:a", status=404),
    bad_get("a trailing slash", b"/predict/?sentence=a", status=404),
    bad_get("a trailing slash after a name", b"/predict/intents/?sentence=a", status=404),
    bad_get("a trailing slash on the flat route", b"/api/intent/?sentence=a", status=404),
    *(bad_method(method, "/") for method in ("POST", "DELETE")),
    *(bad_method(method, "/predict") for method in ("POST", "PUT", "BREW")),
    *(bad_method(method, "/predict/intents") for method in ("PUT", "DELETE", "TRACE")),
    *(bad_method(method, "/records/intents") for method in ("PUT", "DELETE")),
    *(bad_method(method, "/api/intent") for method in ("POST", "PATCH")),
    bad_method("POST", "/metrics"),
]
BODIES = [
    bad_post("no body", b""),
    bad_post("no JSON", b"sentence=a"),
    bad_post("JSON and more", b'[{"sentence":"a"}] x'),
    bad_post("an unfinished array", b'[{"sentence":"a"}'),
    bad_post("an object", b'{"sentence":"a"}'),
    bad_post("null", b"null"),
    bad_post("text", b'"sentence"'),
    bad_post("UTF-16", '[{"sentence":"a"}]'.encode("utf-16")),
    bad_post("a byte that is not UTF-8", b'[{"sentence":"\xff"}]'),
    bad_post("half a surrogate pair", b'[{"sentence":"\\ud800"}]'),
    bad_post("a raw line end", b'[{"sentence":"a\nb"}]'),
    bad_post("NaN", b'[{"age":NaN,"education":"PhD","income":1}]', target="/predict/customers"),
    bad_post("inf", b'[{"age":1,"education":"PhD","income":inf}]', target="/predict/customers"),
    bad_post("deep arrays", b"[" * 100_000),
    bad_post("deep objects", b'[{"sentence":' + b'{"a":' * 50_000),
    bad_post("1,001 items", json.dumps([{"sentence": "a"}] * 1001).encode(), 413),
    bad_post(
        "1,001 records", json.dumps([{"sentence": "a"}] * 1001).encode(), 413, "/records/intents"
    ),
    bad_post("an unknown dataset to predict", b"[]", 404, "/predict/nothing"),
    bad_post("an unknown dataset to add to", b"[]", 404, "/records/nothing"),
    bad_post("records that are no array", b"{}", 400, "/records/intents"),
    bad_post("records of which one is bad", b'[{"sentence":"a"},{}]', 400, "/records/intents"),
]
# Requests that the server refuses itself, before the application sees them.
LENGTH = b"POST /predict/intents HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
CHUNKED = b"POST /predict/intents HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
SERVER = [
    bad_get("a raw byte that is not UTF-8", b"/predict/intents?sentence=\xff"),
    bad_get("a space in the target", b"/predict/intents?sentence=a b"),
    bad_get("a query of 100 kB", b"/predict/intents?sentence=" + b"a" * 100_000, status=431),
    Bad("a request line of one word", b"GET\r\n\r\n"),
    Bad("a method in small letters", b"get /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Bad("a length above 2 MiB", LENGTH + b"%d\r\n\r\n" % (2 * MIB + 1), None, 413),
    Bad("a length that is no number", LENGTH + b"many\r\n\r\n"),
    Bad("a chunk without a size", CHUNKED + b"zz\r\n"),
]
OURS = [*TEXTS, *NUMBERS, *FIELDS_AND_ROUTES, *BODIES]


def send_bad(site: Site, bad: Bad) -> Reply:
    """Send a bad request; fail unless it is refused without revealing internals."""
    logged = len(site.log.read_bytes())
    reply = site.send(bad.request)
    assert 400 <= reply.status < 500, reply.body
    assert reply.status == bad.status
    assert b"Traceback" not in reply.body
    assert b"Traceback" not in site.log.read_bytes()[logged:]
    return reply


@pytest.mark.parametrize("bad", OURS, ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_with_a_problem(site: Site, bad: Bad) -> None:
    """The problem names the field at fault if there is one."""
    reply = send_bad(site, bad)
    assert reply.content_type == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == bad.status
    assert problem["title"]
    assert problem["detail"]
    assert problem.get("field") == bad.field
    if bad.field is not None:
        assert bad.field in problem["detail"]


@pytest.mark.parametrize("bad", SERVER, ids=lambda bad: bad.name)
def test_a_request_that_the_server_cannot_read_is_refused(site: Site, bad: Bad) -> None:
    """The answer is a problem as well, and stands in the log by its id."""
    ids: list[str] = []

    def is_logged() -> bool:
        # Sent again, since the tests before may have used up the log lines of this second.
        reply = send_bad(site, bad)
        assert reply.content_type == "application/problem+json"
        assert reply.json()["status"] == bad.status
        assert reply.json()["detail"]
        ids.append(reply.headers["X-Request-Id"])
        return any(one in site.log.read_text() for one in ids)

    until(is_logged)


@pytest.mark.parametrize("bad", FIELDS_AND_ROUTES, ids=lambda bad: bad.name)
def test_a_refusal_can_be_found_in_the_log(site: Site, bad: Bad) -> None:
    """A user who asks for help can quote the request id."""
    assert site.send(bad.request).headers["X-Request-Id"]


@pytest.mark.parametrize("authorization", [b"\xe9", b"Bearer \xe9\xff", b"Bearer", b"Basic YTpi"])
def test_a_strange_authorization_is_refused_as_a_wrong_key(
    site: Site, authorization: bytes
) -> None:
    """A header may contain bytes that are not text."""
    request = LENGTH.replace(b"/predict", b"/records") + b"2\r\nAuthorization: "
    send_bad(site, Bad("authorization", request + authorization + b"\r\n\r\n[]", None, 401))


def test_a_value_that_is_refused_comes_with_an_example(site: Site) -> None:
    """The problem shows the user what to send instead."""
    refused = site.get("/predict/customers?education=PhD&income=1000&age=131").json()
    assert refused["detail"] == "age: must be at most 130"
    assert refused["example"] == 42


def test_a_wrong_method_names_the_right_ones(site: Site) -> None:
    """The problem and the Allow header, which RFC 9110 requires, both list them."""
    reply = site.ask("DELETE", "/predict/intents")
    assert reply.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert "GET or POST" in reply.json()["detail"]


def test_a_trailing_slash_names_the_route_without_it(site: Site) -> None:
    """A trailing slash is a likely mistake."""
    assert "/predict/intents" in site.get("/predict/intents/").json()["detail"].split("try ")[1]


def test_a_client_cannot_write_lines_into_the_log(site: Site) -> None:
    """A forged line would mislead readers of the log."""

    def is_logged() -> bool:
        # Sent again, since the tests before may have used up the log lines of this second.
        site.send(get_request(b"/predict/%0d%0aFORGED?sentence=a"))
        return "FORGED" in site.log.read_text()

    until(is_logged)
    assert not [line for line in site.log.read_text().splitlines() if line.startswith("FORGED")]


def test_bad_requests_write_nothing(site: Site) -> None:
    """Inputs are written in order of arrival, so a good input shows that all earlier ones are."""

    def settle(sentence: str) -> int:
        site.predict(sentence)
        until(lambda: [row for row in site.records(origin="request") if sentence in row.inputs])
        return site.record_count()

    before = settle("une phrase que personne ne dira")
    for bad in [*OURS, *SERVER]:
        site.send(bad.request)
    site.post("/predict/intents", [{}, {"sentence": ""}, {"sentence": 1}, {"colour": "red"}, None])
    assert settle("une autre que personne ne dira") == before + 1


HOSTILE = ["1" * 12_000 + "x", "\u0301\u0323" * 20_000]
CUSTOMER_INPUTS = {"age": "30", "education": "PhD", "income": "1000"}
HOSTILE_INPUTS = [
    *(
        ("customers", {**CUSTOMER_INPUTS, name: raw}, name)
        for name in CUSTOMER_INPUTS
        for raw in HOSTILE
    ),
    *(("intents", {"sentence": raw}, "sentence") for raw in HOSTILE),
]


@pytest.mark.parametrize(("dataset", "inputs", "field"), HOSTILE_INPUTS)
def test_a_hostile_length_is_refused_in_the_query_and_in_a_body(
    site: Site, dataset: str, inputs: dict[str, str], field: str
) -> None:
    """Two such requests once blocked the whole process for half a minute."""
    # Shorten the values to what the server accepts in a request line.
    short = {
        name: value[:12_001] if value.isascii() else value[:2_000] for name, value in inputs.items()
    }
    queried = site.get(f"/predict/{dataset}?{query(**short)}")
    assert (queried.status, queried.json()["field"]) == (400, field)
    posted = site.post(f"/predict/{dataset}", [inputs])
    assert (posted.status, posted.json()[0]["field"]) == (200, field)
