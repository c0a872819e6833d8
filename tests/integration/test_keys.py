"""Access to answers with READ_KEYS, and how long answers may be cached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.api.access.key_guesses import GUESS_BURST
from tests.conftest import make_store, run_command

from .answers import TAUGHT, teach
from .conftest import API_KEY, Reply, Site, get_request, query, serving_copy, until
from .test_routes import counted

READ_KEY = "a-key-for-readers"
NEXT_KEY = "the-key-that-comes-after=it"
HASHED = f"sha256:{hashlib.sha256(NEXT_KEY.encode()).hexdigest()}"
KEYS = [READ_KEY, NEXT_KEY, API_KEY]
FLAT = "/api/intent?sentence=a"
KEPT_BACK = [
    "/",
    "/predict?sentence=a",
    "/predict/intents?sentence=a",
    "/predict/intents",
    "/predict/nothing",
    FLAT,
    "/api/intent-supported-languages",
    "/metrics",
]
OPEN = ["/livez", "/readyz", "/health", "/api/health", "/docs", "/openapi.json", "/docs/page.css"]


@pytest.fixture(scope="module")
def keyed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with two keys, one given as its hash, and cacheable answers."""
    more = {"READ_KEYS": f"{READ_KEY}, {HASHED}", "MAX_AGE": "600", "STUDENT_TTL": "7"}
    with serving_copy(trained, tmp_path_factory.mktemp("keyed"), **more) as running:
        teach(running.store)
        yield running


@pytest.fixture(scope="module")
def public(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server without keys; its answers may be cached, the student's for a second."""
    more = {"MAX_AGE": "600", "STUDENT_TTL": "1"}
    with serving_copy(trained, tmp_path_factory.mktemp("public"), **more) as running:
        teach(running.store)
        yield running


@pytest.fixture(scope="module")
def trusting(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with keys that believes the proxy on this machine."""
    more = {"READ_KEYS": READ_KEY, "TRUSTED_PROXIES": "127.0.0.1", "SESSION_HOURS": "2"}
    with serving_copy(trained, tmp_path_factory.mktemp("trusting"), **more) as running:
        yield running


def bearer(key: str) -> dict[str, str]:
    """Return the Authorization header for a key."""
    return {"Authorization": f"Bearer {key}"}


def post_form(site: Site, path: str, form: dict[str, str], **headers: str) -> Reply:
    """Send a form as a browser does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    return site.ask("POST", path, query(**form).encode(), named)


def sign_in(site: Site, key: str, **headers: str) -> str:
    """Sign in with a key; return the cookie as NAME=VALUE."""
    reply = post_form(site, "/key", {"key": key, "next": "/"}, **headers)
    assert (reply.status, reply.headers["Location"]) == (303, "/"), reply.body
    return str(reply.headers["Set-Cookie"]).partition(";")[0]


def check_refused(reply: Reply) -> None:
    """Fail unless a reply asks for a key in a way that clients and people understand."""
    assert (reply.status, reply.content_type) == (401, "application/problem+json")
    assert reply.headers.get_all("WWW-Authenticate") == ["Bearer"]
    problem = reply.json()
    assert (problem["status"], problem["title"]) == (401, "Unauthorized")
    assert "READ_KEYS" in problem["detail"]


def with_header(target: str, name: bytes, value: bytes) -> bytes:
    """Return the bytes of a GET request with one more header, not encoded."""
    more = b"\r\n%s: %s\r\n\r\n" % (name, value)
    return get_request(target.encode()).replace(b"\r\n\r\n", more)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", KEPT_BACK)
def test_without_a_key_nothing_is_answered(keyed: Site, target: str, method: str) -> None:
    """The refusal does not reveal which datasets exist or what is wrong with the input."""
    reply = keyed.ask(method, target)
    if method == "GET":
        check_refused(reply)
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "ETag" not in reply.headers


def test_without_a_key_many_inputs_are_not_answered(keyed: Site) -> None:
    """The inputs are not even parsed."""
    for items in ([{"sentence": "a"}], "no array"):
        check_refused(keyed.post("/predict/intents", items))
    assert keyed.post("/predict/intents", [{"sentence": "a"}], READ_KEY).status == 200


@pytest.mark.parametrize("target", OPEN)
def test_health_and_documentation_need_no_key(keyed: Site, target: str) -> None:
    """Routers have no key, and developers read the documentation before they have one."""
    assert keyed.get(target).status == 200


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("target", ["/", "/predict?sentence=a", FLAT, "/metrics"])
def test_any_of_the_keys_gives_access(keyed: Site, target: str, key: str) -> None:
    """The old key, its successor, and a key that may also add records all work."""
    assert keyed.get(target, **bearer(key)).status == 200
    name, _, session = sign_in(keyed, key).partition("=")
    assert keyed.get(target, Cookie=f"{name}={session}").status == 200
    assert keyed.get(target, Cookie=f'a=1; {name}="{session}"; b=2').status == 200


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}", "Bearer {}  "])
def test_the_scheme_may_be_written_in_any_case(keyed: Site, form: str) -> None:
    """RFC 9110 says that the scheme is case-insensitive."""
    assert keyed.get("/metrics", Authorization=form.format(READ_KEY)).status == 200


def cached_answers(site: Site) -> float:
    """Return how many answers have come from the cache."""
    figures = site.get("/metrics", **bearer(READ_KEY)).body.decode()
    name = 'veilleuse_answers_total{dataset="intents",source="memory"}'
    found = [line for line in figures.splitlines() if line.startswith(name)]
    return float(found[0].removeprefix(name)) if found else 0.0


def test_cached_answers_need_a_key_too(keyed: Site) -> None:
    """The answer was cached for a client with a key."""
    target = f"/predict/intents?{query(sentence='déjà demandé avec une clé')}"
    tag = keyed.get(target, **bearer(READ_KEY)).headers["ETag"]
    before = cached_answers(keyed)
    assert keyed.get(target, **bearer(READ_KEY)).headers["ETag"] == tag
    assert cached_answers(keyed) == before + 1
    check_refused(keyed.get(target))
    check_refused(keyed.get(target, If_None_Match=tag))
    check_refused(keyed.get(target, **bearer("wrong")))
    assert cached_answers(keyed) == before + 1


@pytest.mark.parametrize(
    "authorization",
    [
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Bearer " + READ_KEY[:-1].encode(),
        b"Bearer " + READ_KEY.encode() + b"x",
        b"Bearer " + READ_KEY.upper().encode(),
        b"Bearer " + HASHED.encode(),
        b"Bearer " + HASHED.removeprefix("sha256:").encode(),
        b"Bearer " + READ_KEY.encode() + b"," + NEXT_KEY.encode(),
        b"Basic " + READ_KEY.encode(),
        b"Token " + READ_KEY.encode(),
        READ_KEY.encode(),
        b"Bearer \xff\xfe",
        b"Bearer " + READ_KEY.encode() + b"\xc3\xa9",
        b"Bearer \xed\xa0\x80",
        b"\xff",
        b"",
    ],
)
def test_a_wrong_authorization_gives_no_access(keyed: Site, authorization: bytes) -> None:
    """The hash in the setting does not work as a key either."""
    for target in ("/metrics", "/predict?sentence=a"):
        check_refused(keyed.send(with_header(target, b"Authorization", authorization)))


@pytest.mark.parametrize(
    "cookie",
    [
        b"veilleuse_key=" + READ_KEY.encode(),
        b"veilleuse_session",
        b"veilleuse_session=",
        b"veilleuse_session=wrong",
        b"veilleuse_session=" + READ_KEY.encode(),
        b"veilleuse_session=" + HASHED.encode(),
        b"veilleuse_session=9999999999." + READ_KEY.encode(),
        b'veilleuse_session="',
        b'veilleuse_session="\\777',
        b"veilleuse_session=\xff\xfe",
        b"veilleuse_session=\xc3\xa9",
        b"veilleuse_session=; veilleuse_session",
        b"=; ;;veilleuse_session;=",
        b"veilleuse_session[]=(1)",
        b"path=veilleuse_session",
        b"veilleuse_session" * 1000,
    ],
)
def test_a_broken_cookie_gives_no_access(keyed: Site, cookie: bytes) -> None:
    """Other applications on the same host may set any cookie."""
    for target in ("/metrics", "/predict?sentence=a"):
        check_refused(keyed.send(with_header(target, b"Cookie", cookie)))


@pytest.mark.parametrize(
    "others", ['prefs={"a": 1}', "name=two words", "flag", "path=1", "a[b]=1", "x=\xe9"]
)
def test_another_applications_cookie_does_not_disturb_ours(keyed: Site, others: str) -> None:
    """All applications on a host share their cookies, whatever their port."""
    ours = sign_in(keyed, READ_KEY)
    assert keyed.get("/metrics", Cookie=f"{others}; {ours}").status == 200
    assert keyed.get("/metrics", Cookie=f"{ours}; {others}").status == 200


def test_a_session_does_not_contain_the_key(keyed: Site) -> None:
    """A cookie may end up in a log or a backup."""
    for key in KEYS:
        assert key not in sign_in(keyed, key)


def test_the_cookie_of_a_session_ends_and_is_for_this_site_alone(trusting: Site) -> None:
    """Behind TLS it is sent over TLS only, and no other host can set one of its name."""
    plain = post_form(trusting, "/key", {"key": READ_KEY})
    name, *parts = str(plain.headers["Set-Cookie"]).split("; ")
    assert name.startswith("veilleuse_session=")
    assert parts == ["Path=/", "Max-Age=7200", "HttpOnly", "SameSite=Strict"]
    behind_tls = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.7"}
    secure = post_form(trusting, "/key", {"key": READ_KEY}, **behind_tls)
    name, *parts = str(secure.headers["Set-Cookie"]).split("; ")
    assert name.startswith("__Host-veilleuse_session=")
    assert parts == ["Path=/", "Max-Age=7200", "HttpOnly", "SameSite=Strict", "Secure"]
    assert trusting.get("/metrics", Cookie=name, **behind_tls).status == 200
    check_refused(trusting.get("/metrics", Cookie=name))


def test_signing_out_removes_the_cookie(keyed: Site) -> None:
    """The page of the form offers it to a browser that is signed in."""
    cookie = sign_in(keyed, READ_KEY)
    assert b"/sign-out" in keyed.get("/key", Cookie=cookie, Accept="text/html").body
    assert b"/sign-out" not in keyed.get("/key", Accept="text/html").body
    reply = post_form(keyed, "/sign-out", {}, Cookie=cookie)
    assert (reply.status, reply.headers["Location"]) == (303, "/key")
    assert "veilleuse_session=; Path=/; Max-Age=0;" in reply.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/key", "/sign-out"])
@pytest.mark.parametrize("site_of_page", ["cross-site", "same-site"])
def test_a_page_of_another_site_cannot_send_our_forms(
    keyed: Site, path: str, site_of_page: str
) -> None:
    """It could sign a person in under a key of its own, or out."""
    reply = post_form(keyed, path, {"key": READ_KEY}, Sec_Fetch_Site=site_of_page)
    assert reply.status == 403
    assert "Set-Cookie" not in reply.headers


def test_a_client_that_guesses_keys_must_wait_and_others_need_not(trusting: Site) -> None:
    """The log has its address. Keys that it has sent before go on working."""
    guesser = {"X_Forwarded_For": "192.0.2.66"}
    assert trusting.get("/metrics", **bearer(READ_KEY), **guesser).status == 200
    replies = [
        trusting.get("/metrics", **bearer(f"guess-{number}"), **guesser)
        for number in range(GUESS_BURST + 2)
    ]
    assert [reply.status for reply in replies] == [401] * GUESS_BURST + [429] * 2
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 36
    assert trusting.get("/metrics", **bearer(API_KEY), **guesser).status == 429
    assert post_form(trusting, "/key", {"key": API_KEY}, **guesser).status == 429
    assert trusting.get("/metrics", **bearer(READ_KEY), **guesser).status == 200
    assert trusting.get("/metrics", **bearer(API_KEY), X_Forwarded_For="192.0.2.67").status == 200
    until(lambda: "a wrong key came from 192.0.2.66" in trusting.log.read_text())
    assert "guess-" not in trusting.log.read_text()


def test_a_key_for_readers_adds_no_records(keyed: Site) -> None:
    """Reading and writing need different keys."""
    items = [{"sentence": "ajouté par une clé qui lit", "intent": "purchase"}]
    for key in (READ_KEY, NEXT_KEY, None):
        reply = keyed.post("/records/intents", items, key)
        assert (reply.status, reply.content_type) == (401, "application/problem+json")
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert "API_KEYS" in reply.json()["detail"]
    assert not [row for row in keyed.records(origin="api") if "qui lit" in row.inputs]
    assert keyed.post("/records/intents", items, API_KEY).json()["added"] == 1


def cache_control(site: Site, sentence: str, **headers: str) -> list[str]:
    """Return the Cache-Control header of an answer, first computed and then from the cache."""
    target = f"/predict/intents?{query(sentence=sentence)}"
    return [site.get(target, **headers).headers["Cache-Control"] for _ in range(2)]


def test_answers_that_need_a_key_may_only_be_cached_by_the_client(keyed: Site) -> None:
    """A proxy would give them to clients without a key."""
    assert cache_control(keyed, TAUGHT, **bearer(READ_KEY)) == ["private, max-age=600"] * 2
    cookie = sign_in(keyed, READ_KEY)
    assert cache_control(keyed, "le cookie", Cookie=cookie) == ["private, max-age=7"] * 2
    check_refused(keyed.get(FLAT))
    assert "public" not in keyed.get(FLAT, **bearer(READ_KEY)).headers["Cache-Control"]


def test_public_answers_may_be_cached_by_proxies(public: Site) -> None:
    """A student's answer may be cached no longer than in the server itself."""
    assert cache_control(public, TAUGHT) == ["public, max-age=600"] * 2
    assert cache_control(public, "une phrase pour un élève") == ["public, max-age=1"] * 2


def test_a_students_answer_expires_from_the_cache(public: Site) -> None:
    """Otherwise the teacher's answer would never be served."""
    labels = {"name": "veilleuse_answers_total", "dataset": "intents", "source": "student"}
    before = counted(public, **labels)

    def is_computed_again() -> bool:
        public.predict("une phrase qui vieillit")
        return counted(public, **labels) >= before + 2

    public.predict("une phrase qui vieillit")
    assert counted(public, **labels) >= before + 1
    until(is_computed_again)


@pytest.mark.parametrize("setting", ["READ_KEYS", "API_KEYS"])
@pytest.mark.parametrize("keys", ["x", f"{READ_KEY},1234567"])
def test_a_short_key_is_refused_at_start(sqlite_url: str, setting: str, keys: str) -> None:
    """It would be guessed; the message says how to make another."""
    make_store(sqlite_url).close()
    done = run_command(sqlite_url, "serve", "--check", **{setting: keys})
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert f"{setting}=" in done.err
    assert "at least 8 characters" in done.err
    assert "secrets.token_urlsafe" in done.err


@pytest.mark.parametrize("setting", ["READ_KEYS", "API_KEYS"])
@pytest.mark.parametrize(
    "keys", ["sha256:", "sha256:zz", "sha256:" + "a" * 63, "sha256:" + "g" * 64, f"{HASHED}0"]
)
def test_a_malformed_hash_is_refused_at_start(sqlite_url: str, setting: str, keys: str) -> None:
    """No key could ever match it."""
    make_store(sqlite_url).close()
    done = run_command(sqlite_url, "serve", "--check", **{setting: keys})
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1, done.err
    assert setting in done.err
    assert "sha256:" in done.err


def test_a_refused_start_does_not_reveal_a_key(sqlite_url: str) -> None:
    """The error message goes into logs that more people read."""
    make_store(sqlite_url).close()
    done = run_command(sqlite_url, "serve", "--check", READ_KEYS=f"{READ_KEY},sha256:zz")
    assert "READ_KEYS" in done.err
    assert READ_KEY not in done.err
