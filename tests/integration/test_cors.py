"""CORS headers, security headers, and the Content-Security-Policy of our own pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import make_store

from .conftest import Reply, Site, query, serving, serving_copy

ORIGIN = "https://pages.example"
OTHER = "https://other.example:8443"
FLAT = "/api/intent?sentence=a"
PREDICT = f"/predict/intents?{query(sentence='une page demande')}"
TARGETS = ["/", PREDICT, FLAT, "/metrics", "/docs", "/openapi.json", "/livez", "/readyz"]
ERRORS = {"/nothing": 404, "/predict/intents": 400, "/predict/nothing": 404, "/docs/nothing": 404}
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture(scope="module")
def listed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with two origins in CORS_ORIGINS."""
    folder = tmp_path_factory.mktemp("listed")
    with serving_copy(trained, folder, CORS_ORIGINS=f"{ORIGIN}, {OTHER}") as running:
        yield running


def access_headers(reply: Reply) -> set[str]:
    """Return the names of an answer's CORS headers."""
    return {name for name in reply.headers if name.lower().startswith("access-control-")}


def preflight(site: Site, target: str, origin: str = ORIGIN) -> Reply:
    """Send a CORS preflight request, as a browser does."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return site.ask("OPTIONS", target, headers=headers)


def varies_by_origin(reply: Reply) -> bool:
    """Return whether caches keep an answer for each origin; pages vary by the language too."""
    varied = ", ".join(reply.headers.get_all("Vary", [])).split(", ")
    assert set(varied) <= {"", "Origin", "Accept", "Accept-Language"}
    return varied.count("Origin") == 1


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS])
def test_without_cors_origins_no_cors_headers_are_sent(site: Site, target: str) -> None:
    """Browsers then let no page of another origin read an answer."""
    for headers in ({}, {"Origin": ORIGIN}):
        reply = site.get(target, **headers)
        assert access_headers(reply) == set()
        assert not varies_by_origin(reply)
    assert access_headers(preflight(site, target)) == set()


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS])
@pytest.mark.parametrize("origin", [ORIGIN, OTHER])
def test_an_origin_in_the_list_is_named_in_every_answer(
    listed: Site, target: str, origin: str
) -> None:
    """Errors name it too, so that the page can read what is wrong."""
    for _ in range(2):
        reply = listed.get(target, Origin=origin)
        assert reply.status == ERRORS.get(target, 200)
        assert reply.headers.get_all("Access-Control-Allow-Origin") == [origin]
        assert varies_by_origin(reply)
        assert "ETag" in reply.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{ORIGIN}.evil.example", f"{ORIGIN}:81", "null", "*", None]
)
def test_another_origin_is_not_named(listed: Site, target: str, origin: str | None) -> None:
    """Every answer still has `Vary: Origin`, so that proxies cache it per origin."""
    headers = {} if origin is None else {"Origin": origin}
    for _ in range(2):
        reply = listed.get(target, **headers)
        assert reply.status == ERRORS.get(target, 200)
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert varies_by_origin(reply)


def test_a_cached_answer_names_only_the_origin_that_asks(listed: Site) -> None:
    """A cached answer must not keep the header for an earlier origin."""
    target = f"/predict/intents?{query(sentence='plusieurs pages demandent')}"
    named = [
        listed.get(target, **({"Origin": origin} if origin else {})).headers.get(
            "Access-Control-Allow-Origin"
        )
        for origin in (None, ORIGIN, None, OTHER, "https://evil.example", None)
    ]
    assert named == [None, ORIGIN, None, OTHER, None, None]


def test_with_a_star_every_page_may_read(trained: Path, tmp_path: Path) -> None:
    """No answer depends on the origin, so none has a Vary header."""
    with serving_copy(trained, tmp_path / "star", CORS_ORIGINS="*") as site:
        for target in [*TARGETS, PREDICT, *ERRORS]:
            for headers in ({}, {"Origin": ORIGIN}, {"Origin": "null"}):
                reply = site.get(target, **headers)
                assert reply.headers.get_all("Access-Control-Allow-Origin") == ["*"]
                assert not varies_by_origin(reply)
        check_preflight(preflight(site, "/predict/intents"))


def check_preflight(reply: Reply) -> None:
    """Fail unless the preflight answer allows the methods and headers that clients use."""
    assert (reply.status, reply.body) == (204, b"")
    methods = reply.headers["Access-Control-Allow-Methods"].split(", ")
    assert {"GET", "POST"} <= set(methods)
    allowed = {name.lower() for name in reply.headers["Access-Control-Allow-Headers"].split(", ")}
    assert {"authorization", "content-type"} <= allowed
    assert int(reply.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize("target", ["/predict/intents", "/predict", FLAT, "/metrics", "/nothing"])
def test_a_preflight_from_a_listed_origin_is_allowed(listed: Site, target: str) -> None:
    """The browser sends the request itself only after this answer."""
    reply = preflight(listed, target)
    check_preflight(reply)
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert varies_by_origin(reply)


def test_a_preflight_from_another_origin_is_not_allowed(listed: Site) -> None:
    """The browser blocks the request because the answer does not name its origin."""
    reply = preflight(listed, "/predict/intents", "https://evil.example")
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert varies_by_origin(reply)


def test_a_preflight_needs_no_key(trained: Path, tmp_path: Path) -> None:
    """Browsers send no key with it; the request itself needs one, and its 401 is readable."""
    more = {"CORS_ORIGINS": ORIGIN, "READ_KEYS": "a-key-for-readers"}
    with serving_copy(trained, tmp_path / "keyed", **more) as site:
        check_preflight(preflight(site, "/predict/intents"))
        refused = site.get(PREDICT, Origin=ORIGIN)
        assert refused.status == 401
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
        opened = site.get(PREDICT, Origin=ORIGIN, Authorization="Bearer a-key-for-readers")
        assert opened.status == 200


@pytest.mark.parametrize(
    ("target", "allow"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/predict", "GET, HEAD, OPTIONS"),
        ("/predict/intents", "GET, POST, HEAD, OPTIONS"),
        ("/records/intents", "GET, POST, HEAD, OPTIONS"),
        ("/api/intent", "GET, HEAD, OPTIONS"),
        ("/api/intent-supported-languages", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_lists_the_methods_of_a_route(
    site: Site, listed: Site, target: str, allow: str
) -> None:
    """The answer does not depend on CORS_ORIGINS."""
    for each in (site, listed):
        reply = each.ask("OPTIONS", target)
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers["Allow"] == allow
        assert "Access-Control-Allow-Methods" not in reply.headers


def test_options_on_an_unknown_route_is_not_found(site: Site, listed: Site) -> None:
    """OPTIONS gets 404 there, as any other method does."""
    for each in (site, listed):
        for target in ("/nothing", "/predict/intents/more", "/api/other"):
            reply = each.ask("OPTIONS", target)
            assert (reply.status, reply.content_type) == (404, "application/problem+json")
            assert "Allow" not in reply.headers


def check_safe(reply: Reply) -> None:
    """Fail unless an answer has each security header exactly once."""
    assert reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert reply.headers.get_all("Referrer-Policy") == ["same-origin"]


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS, "/docs/page.css", "/predict?x=1"])
def test_every_answer_has_security_headers(site: Site, target: str) -> None:
    """Cached answers, HTML pages and errors have the headers too."""
    for _ in range(2):
        check_safe(site.get(target))
    check_safe(site.ask("HEAD", target))
    check_safe(site.get(target, Accept=HTML))
    check_safe(site.ask("OPTIONS", target))
    check_safe(site.ask("DELETE", target))


def test_refusals_and_304_answers_have_security_headers(site: Site, listed: Site) -> None:
    """Every part of the server that makes an answer adds the headers."""
    tag = site.get(PREDICT).headers["ETag"]
    known = site.get(PREDICT, If_None_Match=tag)
    assert known.status == 304
    check_safe(known)
    check_safe(site.post("/predict/intents", [{"sentence": "a"}, {}]))
    check_safe(site.post("/records/intents", []))
    check_safe(site.ask("POST", "/predict/intents", b"\xff"))
    check_safe(site.get("/predict/%FF"))
    check_safe(preflight(listed, "/predict/intents"))


def test_a_server_without_a_model_sends_security_headers(sqlite_url: str, tmp_path: Path) -> None:
    """Its 503 answers and its page have the headers too."""
    make_store(sqlite_url).close()
    with serving(sqlite_url, tmp_path / "log.txt", ready="/livez") as site:
        unready = site.get("/readyz")
        assert unready.status == 503
        check_safe(unready)
        assert "default-src 'none'" in policy(site.get("/", Accept=HTML))["*"]


def policy(reply: Reply) -> dict[str, str]:
    """Return a page's Content-Security-Policy by directive, and its whole text under `*`."""
    (text,) = reply.headers.get_all("Content-Security-Policy") or []
    parts = [part.strip().split(" ", 1) for part in text.split(";")]
    return {name: rest[0] if rest else "" for name, *rest in parts} | {"*": text}


class Page(HTMLParser):
    """Collects what a page loads, and the inline code that a policy could forbid."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.loaded: list[tuple[str, str]] = []
        self.inline: list[str] = []
        self.elements = 0
        self.feed(reply.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.elements += 1
        attributes = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.inline.append(tag)
        self.inline += [name for name in attributes if name == "style" or name.startswith("on")]
        self.inline += [
            tag for value in attributes.values() if re.match(r"\s*javascript:", value or "")
        ]
        wanted = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if wanted:
            self.loaded.append((tag, wanted))


def test_our_page_needs_nothing_that_its_policy_forbids(site: Site) -> None:
    """Its styles and scripts are our own files, and it has no inline code."""
    reply = site.get("/", Accept=HTML)
    allowed, page = policy(reply), Page(reply)
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == allowed["style-src"] == "'self'"
    assert allowed["frame-ancestors"] == "'none'"
    assert page.elements > 10
    assert page.inline == []
    assert page.loaded
    for tag, target in page.loaded:
        assert tag in {"link", "script"}
        assert re.match(r"/[^/]", target), target
        assert site.get(target).status == 200


def test_the_documentation_runs_no_script_but_ours(site: Site) -> None:
    """Swagger UI needs inline styles, but no inline scripts."""
    reply = site.get("/docs", Accept=HTML)
    allowed, page = policy(reply), Page(reply)
    assert allowed["script-src"] == "'self'"
    assert allowed["style-src"] == "'self' 'unsafe-inline'"
    assert page.inline == []
    assert {tag for tag, _ in page.loaded} == {"link", "script"}
    assert all(re.match(r"/[^/]", target) for _, target in page.loaded)


def test_json_answers_have_no_policy(site: Site) -> None:
    """Only pages need a Content-Security-Policy."""
    for target in ("/", PREDICT, "/openapi.json"):
        reply = site.get(target)
        assert "Content-Security-Policy" not in reply.headers
        json.loads(reply.body)
