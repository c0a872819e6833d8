"""The http enricher against a server that behaves badly, over real sockets."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import logging
import pickle
import socket
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from db.errors import EnricherError
from db.scoring.packed_numbers import Vector
from enrich.enrichers.http.client import LATER_SECONDS, LONGEST_SECONDS, read_retry_after
from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.outcome import Answered, Failed, Later, Outcome
from enrich.enrichers.http.reply import LIMIT_BYTES, hide
from enrich.enrichers.http.template import RowFault
from tests import bad_server as behaviour
from tests.bad_server import BadServer, Behaviour, bad_server

SECRET = "s3cret/of-the~tests"  # noqa: S105
TOWN = '{"town": "Orléans"}'
BEARER = {"Authorization": "Bearer ${SCORE_TOKEN}"}


@pytest.fixture(scope="module")
def server() -> Iterator[BadServer]:
    """Yield a server that this module's tests share; each test uses its own route."""
    with bad_server() as running:
        yield running


@pytest.fixture
def route(request: pytest.FixtureRequest) -> str:
    """Return a path that no other test uses."""
    return "/" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the secret that headers may name."""
    monkeypatch.setenv("SCORE_TOKEN", SECRET)


def calls_of(server: BadServer, route: str) -> list[behaviour.Call]:
    """Return the calls of one route."""
    return [call for call in server.calls if call.route == route]


def perform(url: str, rows: int = 1, **config: Any) -> list[Outcome]:  # noqa: ANN401
    """Call the API once for each of several distinct rows."""
    http = Http(url + "?row={row}", **{"timeout_seconds": 60, "tries": 2, **config})
    return http.perform([http.request({"row": row}) for row in range(rows)])


def perform_one(url: str, **config: Any) -> Outcome:  # noqa: ANN401
    """Make one call."""
    (outcome,) = perform(url, **config)
    return outcome


# Requests


def test_a_request_is_made_from_the_row() -> None:
    """Values are percent-encoded in the address, and keep their types in the body."""
    body = {"text": "{wish}", "note": "for {age}: {{{wish}}}", "deep": [{"age": "{age}"}, 1, True]}
    http = Http("https://api.test/{age}/x?q={wish}&a={{b}}", method="POST", body=body)
    request = http.request({"wish": "a/b & ç?", "age": 30.0, "more": None})
    assert request.method == "POST"
    assert request.url == "https://api.test/30/x?q=a%2Fb%20%26%20%C3%A7%3F&a={b}"
    assert json.loads(request.body) == {
        "text": "a/b & ç?",
        "note": "for 30: {a/b & ç?}",
        "deep": [{"age": 30.0}, 1, True],
    }


def test_enrichments_go_into_a_body_unchanged() -> None:
    """Lists and vectors cannot go into a URL, where null is empty, but can go into JSON."""
    http = Http("https://api.test/", body={"v": "{vector}", "l": "{list}", "n": "{none}"})
    row = {"vector": Vector.of([0.5, 2]), "list": ["a", 1], "none": None}
    assert json.loads(http.request(row).body) == {"v": [0.5, 2], "l": ["a", 1], "n": None}
    for name in ("vector", "list"):
        with pytest.raises(RowFault, match=rf"config\.url: \{{{name}\}} is "):
            Http("https://api.test/{%s}" % name).request(row)  # noqa: UP031
    assert Http("https://api.test/of?q={none}").request(row).url == "https://api.test/of?q="


def test_the_hash_of_a_request_covers_everything_that_the_api_sees() -> None:
    """The hash changes with method, address, body and header templates, and nothing else."""
    row = {"a": "x", "b": "y"}

    def hash_of(url: str = "https://api.test/{a}", **config: Any) -> str:  # noqa: ANN401
        return Http(url, **config).request(row).hash

    others = [
        hash_of("https://api.test/{b}"),
        hash_of(method="POST"),
        hash_of(body={"a": "{a}"}),
        hash_of(headers=BEARER),
        hash_of(headers={"Authorization": "Bearer ${OTHER_TOKEN}"}),
    ]
    assert len({hash_of(), *others}) == 6
    assert hash_of(answer="score", timeout_seconds=1, tries=1, budget_calls=5) == hash_of()
    assert hash_of(body={"a": 1, "b": 2}) == hash_of(body={"b": 2, "a": 1})
    assert hash_of(headers={"x": "1", "Y": "2"}) == hash_of(headers={"y": "2", "X": "1"})


def test_a_request_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash does not depend on the secret either."""
    http = Http("https://api.test/{a}", headers=BEARER)
    before = http.request({"a": "x"})
    assert SECRET.encode() not in pickle.dumps((http, before))
    monkeypatch.setenv("SCORE_TOKEN", "another-secret")
    assert http.request({"a": "x"}) == before


@pytest.mark.parametrize(("key", "other"), [("url", {}), ("body", {"body": {"x": ["{wihs}"]}})])
def test_an_unknown_name_is_refused_with_the_known_names(key: str, other: dict[str, Any]) -> None:
    """It is an error of the configuration, not of the row."""
    name = "{wish}" if other else "{wihs}"
    http = Http(f"https://api.test/{name}", **other)
    message = rf"config\.{key}: \{{wihs\}} is not read; the enricher reads wish, age"
    with pytest.raises(EnricherError, match=message) as caught:
        http.request({"wish": "x", "age": 1})
    assert not isinstance(caught.value, RowFault)


@pytest.mark.parametrize("value", [".", ".."])
def test_a_row_cannot_leave_the_path(value: str) -> None:
    """Clients and servers would read the dots as the parent folder."""
    with pytest.raises(RowFault, match="a part of the path is"):
        Http("https://api.test/safe/{a}/x").request({"a": value})
    assert Http("https://api.test/safe?a={a}").request({"a": value})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"url": "ftp://api.test"}, r"config\.url: must start with http:// or https://"),
        ({"url": "api.test/x"}, r"config\.url: must start with"),
        ({"url": "https:///x"}, r"config\.url: must start with .* and name a host"),
        ({"url": "https://[bad/"}, r"config\.url: must start with"),
        ({"url": "https://api.test:port/"}, r"config\.url: must start with"),
        ({"url": "https://api.test/a b"}, r"config\.url: must start with"),
        ({"url": "https://api.test/\n"}, r"config\.url: must start with"),
        ({"url": "https://me:hush-hush@api.test/"}, r"config\.url: names a user"),
        ({"url": "https://{host}/"}, r"config\.url: the host must not come from a row"),
        (
            {"url": "https://api.test/?k=${TOKEN}"},
            r"config\.url: .*secrets belong in config\.headers",
        ),
        ({"url": "https://api.test/{"}, r"config\.url: has a single brace"),
        ({"url": "https://api.test/{}"}, r"config\.url: has a single brace"),
        ({"url": 5}, r"config\.url: must be text"),
        ({"body": {"a": ["${TOKEN}"]}}, r"config\.body: .*secrets belong in config\.headers"),
        ({"body": "a } b"}, r"config\.body: has a single brace"),
        ({"method": "DELETE"}, r"config\.method: must be one of GET, POST, PUT, PATCH"),
        ({"answer": "a..b"}, r"config\.answer: must be names separated by dots"),
        ({"headers": "X: y"}, r"config\.headers: must be a table"),
        (
            {"headers": {"X": "${DATABASE_URL}"}},
            r"config\.headers\.X: DATABASE_URL belongs to this application",
        ),
        (
            {"headers": {"X": "a ${API_KEYS}"}},
            r"config\.headers\.X: API_KEYS belongs to this application",
        ),
        (
            {"headers": {"X": "${READ_KEYS}"}},
            r"config\.headers\.X: READ_KEYS belongs to this application",
        ),
        ({"headers": {"X": "${A-B}"}}, r"config\.headers\.X: '\$\{A-B\}' must have the form"),
        ({"headers": {"X": "${TOKEN"}}, r"config\.headers\.X: '\$\{TOKEN' must have the form"),
        ({"headers": {"X": "a\r\nY: b"}}, r"config\.headers\.X: must be printable ASCII"),
        ({"headers": {"X": 5}}, r"config\.headers\.X: must be printable ASCII"),
        ({"headers": {"X Y": "a"}}, r"config\.headers\.X Y: this header cannot be set"),
        ({"headers": {"Host": "a"}}, r"config\.headers\.Host: this header cannot be set"),
        ({"timeout_seconds": 0}, r"config\.timeout_seconds: must be a number above 0"),
        ({"tries": 2.5}, r"config\.tries: must be a whole number above 0 and up to 10"),
        ({"tries": True}, r"config\.tries: must be a whole number"),
        ({"calls_per_second": 0}, r"config\.calls_per_second: must be a number"),
        ({"budget_calls": -1}, r"config\.budget_calls: must be a whole number"),
        ({"budget_days": "x"}, r"config\.budget_days: must be a number"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_when_it_is_read(
    config: dict[str, Any], message: str
) -> None:
    """Each error names the key and says what to do."""
    with pytest.raises(EnricherError, match=message) as caught:
        Http(**{"url": "https://api.test/", **config})
    assert "hush" not in str(caught.value)


# Answers


@pytest.mark.parametrize(
    ("path", "picked"),
    [
        ("result.items.0.score", 0.5),
        ("result.items", [{"score": 0.5}]),
        ("result.none", None),
        ("7", "seven"),
        ("", {"result": {"items": [{"score": 0.5}], "none": None}, "7": "seven"}),
    ],
)
def test_the_value_at_the_path_is_picked(path: str, picked: object) -> None:
    """A path goes through tables and lists; an empty path picks the whole answer."""
    text = '{"result": {"items": [{"score": 0.5}], "none": null}, "7": "seven"}'
    assert Http("https://api.test/", answer=path).pick(text) == picked


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("score", "the answer has no score; it has: result, status$"),
        ("result.score", r"the answer has no result\.score; result has: items, none$"),
        ("result.items.2", r"no result\.items\.2; result\.items has: 0, 1$"),
        ("result.items.0.a", r"no result\.items\.0\.a; result\.items\.0 has: no parts$"),
        ("result.none.a", r"result\.none has: no parts$"),
    ],
)
def test_a_path_that_leads_nowhere_is_the_rows_fault(path: str, message: str) -> None:
    """The error lists what the answer has instead."""
    text = '{"result": {"items": [1, 2], "none": null}, "status": "ok"}'
    with pytest.raises(RowFault, match=message):
        Http("https://api.test/", answer=path).pick(text)


# Calls


def test_each_request_is_made_once_and_answered_in_its_order(server: BadServer, route: str) -> None:
    """The row's values, the body and the secret reach the API."""
    http = Http(
        server.on(route, behaviour.echoes()) + "?q={wish}",
        answer="body",
        method="POST",
        headers={**BEARER, "X-Kind": "a kind"},
        body={"wish": "{wish}"},
    )
    wishes = ["a view & more", "été", "{x}"]
    outcomes = http.perform([http.request({"wish": wish}) for wish in wishes])
    calls = calls_of(server, route)
    assert [json.loads(call.body)["wish"] for call in calls] == wishes
    assert [call.headers["authorization"] for call in calls] == [f"Bearer {SECRET}"] * 3
    assert calls[0].headers["x-kind"] == "a kind"
    assert calls[0].headers["content-type"] == "application/json"
    assert calls[0].path.endswith("?q=a%20view%20%26%20more")
    for wish, outcome in zip(wishes, outcomes, strict=True):
        assert isinstance(outcome, Answered)
        assert outcome.calls == 1
        assert json.loads(http.pick(outcome.text))["wish"] == wish


def test_a_default_header_can_be_replaced(server: BadServer, route: str) -> None:
    """The case of a header's name does not matter."""
    config = {"body": {}, "method": "PUT", "headers": {"content-TYPE": "application/vnd.x+json"}}
    assert isinstance(perform_one(server.on(route, behaviour.answers(1)), **config), Answered)
    (call,) = calls_of(server, route)
    assert call.method == "PUT"
    assert call.headers["content-type"] == "application/vnd.x+json"


def test_no_request_makes_no_call() -> None:
    """An empty batch does not fail either."""
    assert Http("https://api.test/").perform([]) == []


@pytest.mark.parametrize(
    "bad",
    [
        behaviour.fails(500),
        behaviour.fails(503),
        behaviour.fails(408),
        behaviour.fails(425),
        behaviour.fails(429),
        behaviour.hangs_up(),
        behaviour.breaks_off(),
    ],
    ids=["500", "503", "408", "425", "429", "hangs up", "breaks off"],
)
def test_a_temporary_failure_is_tried_again(server: BadServer, route: str, bad: Behaviour) -> None:
    """Every try is counted as a call."""
    outcome = perform_one(server.on(route, bad, behaviour.answers({"score": 1})))
    assert outcome == Answered('{"score":1}', calls=2)
    assert len(calls_of(server, route)) == 2


def test_a_request_that_fails_every_time_is_postponed(server: BadServer, route: str) -> None:
    """It is postponed after the configured number of tries."""
    outcome = perform_one(server.on(route, behaviour.fails(500)), tries=3)
    assert outcome == Later("the API answered 500", LATER_SECONDS, calls=3)
    assert len(calls_of(server, route)) == 3


@pytest.mark.parametrize(
    "bad", [behaviour.fails(500), behaviour.hangs_up()], ids=["500", "hangs up"]
)
def test_a_failing_row_does_not_delay_other_rows(
    server: BadServer, route: str, bad: Behaviour
) -> None:
    """The row itself may be what makes the API fail."""
    first, second = perform(server.on(route, bad, bad, behaviour.answers(7)), rows=2)
    assert isinstance(first, Later)
    assert second == Answered("7", calls=1)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_ends_the_batch_and_blames_no_row(
    server: BadServer, route: str, status: int
) -> None:
    """Every further row would be refused too, and would cost a call."""
    first, second = perform(server.on(route, behaviour.fails(status)), rows=2)
    assert isinstance(first, Later)
    assert f"{status}: check the key in config.headers" in first.reason
    assert isinstance(second, Later)
    assert (first.calls, second.calls, len(calls_of(server, route))) == (1, 0, 1)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_request_that_the_api_refuses_has_failed(
    server: BadServer, route: str, status: int
) -> None:
    """It is not tried again, and the reason contains the API's message."""
    outcome = perform_one(server.on(route, behaviour.fails(status)))
    message = f'the API answered {status}: {{"error":"status {status}"}}'
    assert outcome == Failed(message, calls=1)
    assert len(calls_of(server, route)) == 1


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"Hello", "text/plain"),
        (b"", "application/json"),
        (b'{"score": NaN}', "application/json"),
        (b'{"score": "\xff"}', "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
    ids=["text", "empty", "nan", "not utf-8", "deep"],
)
def test_an_answer_that_is_not_json_has_failed(
    server: BadServer, route: str, body: bytes, media_type: str
) -> None:
    """The declared media type does not matter."""
    outcome = perform_one(server.on(route, behaviour.sends(body, media_type=media_type)))
    assert outcome == Failed("the answer (200) is not JSON", calls=1)


def test_an_answer_that_is_too_large_has_failed(server: BadServer, route: str) -> None:
    """It is not read to its end; an answer of exactly the limit is accepted."""
    large, fitting = b'"%s"' % (b"x" * 2 * LIMIT_BYTES), b'"%s"' % (b"x" * (LIMIT_BYTES - 2))
    url = server.on(route, behaviour.sends(large), behaviour.sends(fitting))
    first, second = perform(url, rows=2)
    assert first == Failed("the answer (200) is larger than 1048576 bytes", calls=1)
    assert second == Answered(fitting.decode(), calls=1)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda body: gzip.compress(body[:4]) + gzip.compress(body[4:])),
        ("deflate", zlib.compress),
        ("Deflate", lambda body: zlib.compress(body)[2:-4]),
    ],
    ids=["gzip", "two members", "deflate", "bare deflate"],
)
def test_an_answer_that_is_compressed_all_the_same_is_read(
    server: BadServer, route: str, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """The request asks for no compression, and some servers do not care."""
    packed = behaviour.sends(pack(b'{"score": 1}'), Content_Encoding=encoding)
    assert perform_one(server.on(route, packed)) == Answered('{"score":1}', calls=1)
    assert calls_of(server, route)[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"...", "the answer is compressed in a way that was not accepted"),
        ("gzip", b"...", "the answer is compressed, and damaged"),
        ("gzip", gzip.compress(b'{"score": 1}')[:-9], "the answer is compressed, and damaged"),
        (
            "gzip",
            gzip.compress(bytes(100 * LIMIT_BYTES)),
            "the answer (200) is larger than 1048576 bytes",
        ),
    ],
    ids=["brotli", "no gzip", "cut off", "bomb"],
)
def test_an_answer_that_cannot_be_unpacked_has_failed(
    server: BadServer, route: str, encoding: str, body: bytes, reason: str
) -> None:
    """It is not unpacked beyond the limit."""
    packed = behaviour.sends(body, Content_Encoding=encoding)
    assert perform_one(server.on(route, packed)) == Failed(reason, calls=1)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (codecs.BOM_UTF8 + TOWN.encode(), "application/json"),
        (TOWN.encode("utf-16"), "application/json"),
        (TOWN.encode("latin-1"), "application/json; charset=iso-8859-1"),
        (TOWN.encode(), "application/json; charset=ISO-8859-1"),
        (TOWN.encode("utf-16-le"), "application/json; charset=utf-16le"),
        (TOWN.encode("cp1252"), 'text/json; charset="windows-1252"'),
        (TOWN.encode(), "application/problem+json"),
        (TOWN.encode(), "application/hal+json; charset=no-such-set"),
    ],
)
def test_an_answer_in_any_character_set_of_the_web_is_read(
    server: BadServer, route: str, body: bytes, media_type: str
) -> None:
    """A byte order mark decides, then UTF-8, then the declared character set."""
    url = server.on(route, behaviour.sends(body, media_type=media_type))
    assert perform_one(url) == Answered('{"town":"Orléans"}', calls=1)


def test_a_page_instead_of_json_is_named_with_its_title(server: BadServer, route: str) -> None:
    """It is often a login page or that of a proxy; the title holds no secret."""
    page = f"<!DOCTYPE html><title lang=en>Sign in &amp; go\x1b[31m on</title><p>{SECRET}"
    bad = f"<html><title>{SECRET}</title>"
    url = server.on(
        route,
        behaviour.sends(page.encode(), media_type="text/html"),
        behaviour.sends(bad.encode(), media_type="text/html"),
        behaviour.sends(page.encode(), 404, "text/html"),
    )
    reasons = [getattr(one, "reason", "") for one in perform(url, rows=3, headers=BEARER)]
    assert reasons == [
        "the API answered 200 with HTML, not JSON: its title is Sign in & go [31m on",
        "the API answered 200 with HTML, not JSON",
        "the API answered 404: its title is Sign in & go [31m on",
    ]


def test_a_redirect_is_not_followed(server: BadServer, route: str) -> None:
    """The secret may only go to the host in the configuration."""
    moved = behaviour.fails(302, Location=f"{server.url}{route}/elsewhere")
    outcome = perform_one(server.on(route, moved), headers=BEARER)
    assert isinstance(outcome, Failed)
    assert "302, a redirect: put the new address in config.url" in outcome.reason
    assert not calls_of(server, f"{route}/elsewhere")


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_redirect_to_another_host_names_it(server: BadServer, route: str, status: int) -> None:
    """It is often that of a login page."""
    away = behaviour.fails(status, Location="//login.corp.test/?from=x")
    outcome = perform_one(server.on(route, away), headers=BEARER)
    assert isinstance(outcome, Failed)
    assert (
        f"{status}, a redirect to login.corp.test, perhaps to a login page: check the key in"
        " config.headers" in outcome.reason
    )


def test_a_cookie_is_not_sent_back(server: BadServer, route: str) -> None:
    """A row's answer must depend only on that row."""
    perform(server.on(route, behaviour.answers(1, Set_Cookie="visitor=1; Path=/")), rows=2)
    assert [call.headers.get("cookie") for call in calls_of(server, route)] == [None, None]


# Waiting


@pytest.mark.parametrize(
    "bad",
    [behaviour.stalls(), behaviour.trickles(), behaviour.trickles_headers()],
    ids=["stalls", "trickles", "trickles headers"],
)
def test_a_try_has_a_deadline_as_a_whole(server: BadServer, route: str, bad: Behaviour) -> None:
    """A server that sends only a byte now and then also times out."""
    outcome = perform_one(server.on(route, bad), timeout_seconds=1, tries=1)
    assert outcome == Later("no complete answer within 1 s", LATER_SECONDS, calls=1)


def test_a_stall_is_tried_again(server: BadServer, route: str) -> None:
    """The second try uses a new connection."""
    url = server.on(route, behaviour.stalls(), behaviour.answers("late"))
    assert perform_one(url, timeout_seconds=2) == Answered('"late"', calls=2)


def test_an_api_that_cannot_be_reached_costs_no_call() -> None:
    """The other rows of the batch are not tried."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcomes = perform(f"http://127.0.0.1:{unused.getsockname()[1]}/", rows=3)
    for outcome in outcomes:
        assert isinstance(outcome, Later)
        assert outcome.reason.startswith("cannot be reached: ")
        assert (outcome.seconds, outcome.calls) == (LATER_SECONDS, 0)


def test_a_host_that_takes_no_connection_has_a_deadline() -> None:
    """A full listen queue answers nothing; no request was sent, so no call is counted."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)  # noqa: FBT003
            other.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        outcomes = perform(url, rows=2, timeout_seconds=0.3, tries=1)
        for other in others:
            other.close()
    assert outcomes == [Later("no complete answer within 0.3 s", LATER_SECONDS, calls=0)] * 2


def test_a_short_pause_is_waited_for(server: BadServer, route: str) -> None:
    """The next call comes no sooner than the API asked for."""
    url = server.on(route, behaviour.asks_for_pause(1), behaviour.answers(1))
    assert perform_one(url) == Answered("1", calls=2)
    first, second = calls_of(server, route)
    assert second.at - first.at >= 1


@pytest.mark.parametrize(
    "bad",
    [
        behaviour.asks_for_pause(120),
        behaviour.asks_for_pause(120, status=503),
        behaviour.asks_for_pause_until(120),
    ],
    ids=["429", "503", "date"],
)
def test_a_long_pause_ends_the_batch_at_once(server: BadServer, route: str, bad: Behaviour) -> None:
    """One such answer is enough: rows that were not sent yet are postponed too."""
    answered, postponed, *rest = perform(server.on(route, behaviour.answers(1), bad), rows=4)
    assert answered == Answered("1", calls=1)
    assert isinstance(postponed, Later)
    assert 100 < postponed.seconds <= 120
    assert postponed.calls == 1
    assert rest == [Later(postponed.reason, postponed.seconds, calls=0)] * 2
    assert len(calls_of(server, route)) == 2


def test_an_api_that_answers_429_gets_no_more_calls(server: BadServer, route: str) -> None:
    """Even if the API does not say for how long, no more calls are made."""
    first, second = perform(server.on(route, behaviour.fails(429)), rows=2)
    assert first == Later("the API answered 429", LATER_SECONDS, calls=2)
    assert second == Later("the API answered 429", LATER_SECONDS, calls=0)


def test_a_requested_pause_lasts_an_hour_at_most(server: BadServer, route: str) -> None:
    """An API that is closed for a year may open sooner."""
    outcome = perform_one(server.on(route, behaviour.asks_for_pause(10**8)))
    assert outcome == Later("the API answered 429", LONGEST_SECONDS, calls=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (format_datetime(datetime(2030, 1, 1, 0, 1, tzinfo=UTC), usegmt=True), 60),
        ("Tue, 01 Jan 2030 00:01:00 -0000", 60),
        (format_datetime(datetime(2029, 1, 1, tzinfo=UTC), usegmt=True), 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Tue, 99 Jan 2030 00:00:00 GMT", None),
        ("9" * 400, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    """Anything else is ignored."""
    assert read_retry_after(text, datetime(2030, 1, 1, tzinfo=UTC)) == seconds


def test_a_retry_after_in_another_zone_is_understood() -> None:
    """The standard allows only GMT, but other zones are accepted."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    text = format_datetime(now + timedelta(minutes=2))
    assert read_retry_after(text, now) == 120


def test_calls_keep_the_pace_that_is_configured(server: BadServer, route: str) -> None:
    """Retries count too; a call may come late, but never early."""
    url = server.on(route, behaviour.fails(500), behaviour.answers(1))
    began = time.monotonic()
    perform(url, rows=3, calls_per_second=5)
    times = [call.at - began for call in calls_of(server, route)]
    assert len(times) == 4
    assert all(at >= number / 5 for number, at in enumerate(times))


# Secrets


def test_no_secret_is_in_outcomes_or_logs(
    server: BadServer, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if the API echoes it, the secret is in no outcome and in no library's log line."""
    escaped = json.dumps({SECRET: [SECRET, 1]}).replace("/", "\\/").replace("s3", "\\u0073\\u0033")

    def echo_everywhere(handler: behaviour.Handler) -> None:
        handler.send_response(200, SECRET)
        handler.send_header("X-Echo", SECRET)
        handler.send_header("Content-Length", str(len(escaped)))
        handler.end_headers()
        handler.wfile.write(escaped.encode())

    def send_raw(text: str) -> Behaviour:
        def behave(handler: behaviour.Handler) -> None:
            handler.drip(text.encode(), 0)
            handler.hang_up()

        return behave

    bad: list[Behaviour] = [
        behaviour.echoes(),
        echo_everywhere,
        behaviour.fails(422, X_Echo=SECRET),
        behaviour.answers({"you sent": SECRET}, 400),
        behaviour.sends(SECRET.encode(), 406),
        behaviour.sends(SECRET.encode()),
        behaviour.answers(SECRET, 500),
        send_raw(f"HTTP/1.1 {SECRET}\r\n\r\n"),
        send_raw(f"HTTP/1.1 200 OK\r\n{SECRET}\r\n\r\n"),
    ]
    caplog.set_level(logging.DEBUG)
    outcomes = perform(server.on(route, *bad), rows=len(bad), headers=BEARER, tries=1)
    assert [type(outcome) for outcome in outcomes] == [
        *[Answered] * 2,
        *[Failed] * 4,
        *[Later] * 3,
    ]
    assert all(call.headers["authorization"].endswith(SECRET) for call in calls_of(server, route))
    for text in (repr(outcomes), caplog.text, pickle.dumps(outcomes).decode("latin-1")):
        assert SECRET not in text
        assert SECRET[:8] not in text
    assert isinstance(outcomes[1], Answered)
    assert outcomes[1].text == '{"***":["***",1]}'
    assert outcomes[3] == Failed('the API answered 400: {"you sent":"***"}', calls=1)
    assert outcomes[4] == Failed("the API answered 406", calls=1)


def test_a_secret_that_is_a_number_is_hidden_as_one() -> None:
    """It is hidden inside a text and as a value of its own."""
    answer = {"id": 123456, "text": "id 123456", "other": 12345, "yes": True}
    hidden = {"id": "***", "text": "id ***", "other": 12345, "yes": True}
    assert hide(answer, frozenset({"123456"})) == hidden


def test_the_longer_of_two_secrets_is_hidden_first() -> None:
    """Otherwise the end of the longer one would remain."""
    assert hide("abcdef-ghi abcdef", frozenset({"abcdef", "abcdef-ghi"})) == "*** ***"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "is not set; set it in the worker's environment"),
        ("", "is not set; set it in the worker's environment"),
        ("hushhush\n", "must be printable ASCII without spaces at its ends"),
        (" hushhush", "must be printable ASCII without spaces at its ends"),
        ("hushhushé", "must be printable ASCII without spaces at its ends"),
        ("hush", "is shorter than 6 characters"),
    ],
)
def test_a_secret_that_cannot_be_sent_is_named_and_not_shown(
    server: BadServer, route: str, monkeypatch: pytest.MonkeyPatch, value: str | None, message: str
) -> None:
    """The error comes before any call, and names the header and the variable."""
    monkeypatch.delenv("SCORE_TOKEN")
    if value is not None:
        monkeypatch.setenv("SCORE_TOKEN", value)
    where = r"config\.headers\.Authorization: the variable SCORE_TOKEN "
    with pytest.raises(EnricherError, match=where + message) as caught:
        perform(server.on(route, behaviour.answers(1)), headers=BEARER)
    assert "hush" not in str(caught.value)
    assert not calls_of(server, route)


@pytest.mark.parametrize("package", ["httpx", "tenacity"])
def test_a_package_that_is_missing_is_named_with_the_command_to_run(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only calls need it: building requests and reading answers work without it."""
    monkeypatch.delitem(sys.modules, "enrich.enrichers.http.client")
    monkeypatch.setitem(sys.modules, package, None)
    http = Http("https://api.test/{a}")
    with pytest.raises(EnricherError, match=f"http needs {package}: pip install -r requirements-"):
        http.perform([http.request({"a": 1})])


# The server of these tests


def test_the_bad_server_counts_its_requests() -> None:
    """It counts by request, and within any period."""
    with bad_server() as own:
        url = own.on("/x", behaviour.answers(1))
        perform(url, rows=3)
        perform(url, rows=1)
        assert own.counts() == {("GET", f"/x?row={n}", b""): 2 if n == 0 else 1 for n in range(3)}
        assert own.most_within(600) == 4
        assert own.most_within(0) == 0
