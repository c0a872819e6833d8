"""What answers say to browsers: whose pages may read them, and what our own pages may do."""

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
    """Give a server that two origins' pages may ask."""
    folder = tmp_path_factory.mktemp("listed")
    with serving_copy(trained, folder, CORS_ORIGINS=f"{ORIGIN}, {OTHER}") as running:
        yield running


def access_headers(reply: Reply) -> set[str]:
    """Return what an answer says to pages of other origins, by name."""
    return {name for name in reply.headers if name.lower().startswith("access-control-")}


def preflight(site: Site, target: str, origin: str = ORIGIN) -> Reply:
    """Ask whether a page may ask, as a browser does."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return site.ask("OPTIONS", target, headers=asked)


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS])
def test_unless_they_are_set_no_origins_are_spoken_of(site: Site, target: str) -> None:
    """Then browsers give no page of another origin anything."""
    for headers in ({}, {"Origin": ORIGIN}):
        reply = site.get(target, **headers)
        assert access_headers(reply) == set()
        assert "Vary" not in reply.headers
    assert access_headers(preflight(site, target)) == set()


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS])
@pytest.mark.parametrize("origin", [ORIGIN, OTHER])
def test_an_origin_in_the_list_is_named_in_every_answer(
    listed: Site, target: str, origin: str
) -> None:
    """Also in errors, or the page could not tell what is wrong."""
    for _ in range(2):
        reply = listed.get(target, Origin=origin)
        assert reply.status == ERRORS.get(target, 200)
        assert reply.headers.get_all("Access-Control-Allow-Origin") == [origin]
        assert reply.headers.get_all("Vary") == ["Origin"]
        assert "ETag" in reply.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{ORIGIN}.evil.example", f"{ORIGIN}:81", "null", "*", None]
)
def test_another_origin_is_not_named(listed: Site, target: str, origin: str | None) -> None:
    """But that the answer depends on it is said, whoever asks, for the proxies' sake."""
    headers = {} if origin is None else {"Origin": origin}
    for _ in range(2):
        reply = listed.get(target, **headers)
        assert reply.status == ERRORS.get(target, 200)
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert reply.headers.get_all("Vary") == ["Origin"]


def test_an_answer_in_memory_is_told_to_each_origin_apart(listed: Site) -> None:
    """One origin's answer is not another's."""
    target = f"/predict/intents?{query(sentence='plusieurs pages demandent')}"
    named = [
        listed.get(target, **({"Origin": origin} if origin else {})).headers.get(
            "Access-Control-Allow-Origin"
        )
        for origin in (None, ORIGIN, None, OTHER, "https://evil.example", None)
    ]
    assert named == [None, ORIGIN, None, OTHER, None, None]


def test_with_a_star_every_page_may_read(trained: Path, tmp_path: Path) -> None:
    """And no answer depends on who asks."""
    with serving_copy(trained, tmp_path / "star", CORS_ORIGINS="*") as site:
        for target in [*TARGETS, PREDICT, *ERRORS]:
            for headers in ({}, {"Origin": ORIGIN}, {"Origin": "null"}):
                reply = site.get(target, **headers)
                assert reply.headers.get_all("Access-Control-Allow-Origin") == ["*"]
                assert "Vary" not in reply.headers
        check_preflight(preflight(site, "/predict/intents"))


def check_preflight(reply: Reply) -> None:
    """Fail unless a page is told that it may ask as our clients do."""
    assert (reply.status, reply.body) == (204, b"")
    methods = reply.headers["Access-Control-Allow-Methods"].split(", ")
    assert {"GET", "POST"} <= set(methods)
    allowed = {name.lower() for name in reply.headers["Access-Control-Allow-Headers"].split(", ")}
    assert {"authorization", "content-type"} <= allowed
    assert int(reply.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize("target", ["/predict/intents", "/predict", FLAT, "/metrics", "/nothing"])
def test_a_page_that_asks_whether_it_may_ask_is_answered(listed: Site, target: str) -> None:
    """Its browser sends no more before that."""
    reply = preflight(listed, target)
    check_preflight(reply)
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert reply.headers["Vary"] == "Origin"


def test_a_page_of_another_origin_may_not_ask(listed: Site) -> None:
    """Its browser looks for its own name in the answer."""
    reply = preflight(listed, "/predict/intents", "https://evil.example")
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert reply.headers["Vary"] == "Origin"


def test_a_preflight_needs_no_key(trained: Path, tmp_path: Path) -> None:
    """Browsers send none with it; what follows needs one, and the page may read that."""
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
def test_options_tells_what_a_route_allows(
    site: Site, listed: Site, target: str, allow: str
) -> None:
    """Whether or not origins are set."""
    for each in (site, listed):
        reply = each.ask("OPTIONS", target)
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers["Allow"] == allow
        assert "Access-Control-Allow-Methods" not in reply.headers


def test_options_on_no_route_is_not_found(site: Site, listed: Site) -> None:
    """As any other method."""
    for each in (site, listed):
        for target in ("/nothing", "/predict/intents/more", "/api/other"):
            reply = each.ask("OPTIONS", target)
            assert (reply.status, reply.content_type) == (404, "application/problem+json")
            assert "Allow" not in reply.headers


def check_safe(reply: Reply) -> None:
    """Fail unless an answer says, once, how it may be used."""
    assert reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert reply.headers.get_all("Referrer-Policy") == ["no-referrer"]


@pytest.mark.parametrize("target", [*TARGETS, *ERRORS, "/docs/page.css", "/predict?x=1"])
def test_every_answer_says_how_it_may_be_used(site: Site, target: str) -> None:
    """From memory the second time, where it is kept there; as a page to those who read pages."""
    for _ in range(2):
        check_safe(site.get(target))
    check_safe(site.ask("HEAD", target))
    check_safe(site.get(target, Accept=HTML))
    check_safe(site.ask("OPTIONS", target))
    check_safe(site.ask("DELETE", target))


def test_answers_that_are_refused_or_known_say_so_too(site: Site, listed: Site) -> None:
    """Whoever makes them."""
    tag = site.get(PREDICT).headers["ETag"]
    known = site.get(PREDICT, If_None_Match=tag)
    assert known.status == 304
    check_safe(known)
    check_safe(site.post("/predict/intents", [{"sentence": "a"}, {}]))
    check_safe(site.post("/records/intents", []))
    check_safe(site.ask("POST", "/predict/intents", b"\xff"))
    check_safe(site.get("/predict/%FF"))
    check_safe(preflight(listed, "/predict/intents"))


def test_a_server_without_a_model_says_so_too(sqlite_url: str, tmp_path: Path) -> None:
    """Its refusals are answers like others."""
    make_store(sqlite_url).close()
    with serving(sqlite_url, tmp_path / "log.txt", ready="/livez") as site:
        unready = site.get("/readyz")
        assert unready.status == 503
        check_safe(unready)
        assert "default-src 'none'" in policy(site.get("/", Accept=HTML))["*"]


def policy(reply: Reply) -> dict[str, str]:
    """Return what a page may do, by directive; all of it under *."""
    (text,) = reply.headers.get_all("Content-Security-Policy") or []
    parts = [part.strip().split(" ", 1) for part in text.split(";")]
    return {name: rest[0] if rest else "" for name, *rest in parts} | {"*": text}


class Page(HTMLParser):
    """What a page loads, and what stands in it that a policy could forbid."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.loaded: list[tuple[str, str]] = []
        self.inline: list[str] = []
        self.elements = 0
        self.feed(reply.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element."""
        self.elements += 1
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.inline += [tag for value in given.values() if re.match(r"\s*javascript:", value or "")]
        wanted = given.get("src") or (given.get("href") if tag == "link" else None)
        if wanted:
            self.loaded.append((tag, wanted))


def test_our_page_needs_nothing_that_its_policy_forbids(site: Site) -> None:
    """Its style and scripts are files of ours, and nothing stands in it that would run."""
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
    """Swagger UI styles its elements, and that is all."""
    reply = site.get("/docs", Accept=HTML)
    allowed, page = policy(reply), Page(reply)
    assert allowed["script-src"] == "'self'"
    assert allowed["style-src"] == "'self' 'unsafe-inline'"
    assert page.inline == []
    assert {tag for tag, _ in page.loaded} == {"link", "script"}
    assert all(re.match(r"/[^/]", target) for _, target in page.loaded)


def test_what_is_no_page_has_no_policy(site: Site) -> None:
    """Programs get JSON that is JSON."""
    for target in ("/", PREDICT, "/openapi.json"):
        reply = site.get(target)
        assert "Content-Security-Policy" not in reply.headers
        json.loads(reply.body)
