"""Who may have answers where READ_KEYS is set, and for how long others may keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    """Give a server with two keys, one of them as its hash, whose answers may be kept."""
    more = {"READ_KEYS": f"{READ_KEY}, {HASHED}", "MAX_AGE": "600", "STUDENT_TTL": "7"}
    with serving_copy(trained, tmp_path_factory.mktemp("keyed"), **more) as running:
        teach(running.store)
        yield running


@pytest.fixture(scope="module")
def public(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a server without keys, whose answers may be kept, the student's for a second."""
    more = {"MAX_AGE": "600", "STUDENT_TTL": "1"}
    with serving_copy(trained, tmp_path_factory.mktemp("public"), **more) as running:
        teach(running.store)
        yield running


def bearer(key: str) -> dict[str, str]:
    """Return the header that brings a key."""
    return {"Authorization": f"Bearer {key}"}


def check_refused(reply: Reply) -> None:
    """Fail unless a key is asked for, in the way that clients and people understand."""
    assert (reply.status, reply.content_type) == (401, "application/problem+json")
    assert reply.headers.get_all("WWW-Authenticate") == ["Bearer"]
    problem = reply.json()
    assert (problem["status"], problem["title"]) == (401, "Unauthorized")
    assert "READ_KEYS" in problem["detail"]


def with_header(target: str, name: bytes, value: bytes) -> bytes:
    """Return a GET with one more header, sent as it is."""
    more = b"\r\n%s: %s\r\n\r\n" % (name, value)
    return get_request(target.encode()).replace(b"\r\n\r\n", more)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", KEPT_BACK)
def test_without_a_key_nothing_is_answered(keyed: Site, target: str, method: str) -> None:
    """Not even whether there is such a dataset, or what is wrong with the input."""
    reply = keyed.ask(method, target)
    if method == "GET":
        check_refused(reply)
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "ETag" not in reply.headers


def test_without_a_key_many_inputs_are_not_answered(keyed: Site) -> None:
    """Neither are they read."""
    for items in ([{"sentence": "a"}], "no array"):
        check_refused(keyed.post("/predict/intents", items))
    assert keyed.post("/predict/intents", [{"sentence": "a"}], READ_KEY).status == 200


@pytest.mark.parametrize("target", OPEN)
def test_health_and_documentation_need_no_key(keyed: Site, target: str) -> None:
    """Routers have none, and whoever writes a client must read first."""
    assert keyed.get(target).status == 200


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("target", ["/", "/predict?sentence=a", FLAT, "/metrics"])
def test_any_of_the_keys_opens(keyed: Site, target: str, key: str) -> None:
    """The old one, its successor, and one that may add records besides."""
    assert keyed.get(target, **bearer(key)).status == 200
    assert keyed.get(target, Cookie=f"veilleuse_key={key}").status == 200
    assert keyed.get(target, Cookie=f'a=1; veilleuse_key="{key}"; b=2').status == 200


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}", "Bearer {}  "])
def test_the_scheme_may_be_written_in_any_case(keyed: Site, form: str) -> None:
    """As RFC 9110 has it."""
    assert keyed.get("/metrics", Authorization=form.format(READ_KEY)).status == 200


def recalled(site: Site) -> float:
    """Return how many answers have come from memory."""
    figures = site.get("/metrics", **bearer(READ_KEY)).body.decode()
    name = 'veilleuse_answers_total{dataset="intents",source="memory"}'
    found = [line for line in figures.splitlines() if line.startswith(name)]
    return float(found[0].removeprefix(name)) if found else 0.0


def test_what_is_in_memory_is_kept_back_too(keyed: Site) -> None:
    """It was asked for by somebody who has a key."""
    target = f"/predict/intents?{query(sentence='déjà demandé avec une clé')}"
    tag = keyed.get(target, **bearer(READ_KEY)).headers["ETag"]
    before = recalled(keyed)
    assert keyed.get(target, **bearer(READ_KEY)).headers["ETag"] == tag
    assert recalled(keyed) == before + 1
    check_refused(keyed.get(target))
    check_refused(keyed.get(target, If_None_Match=tag))
    check_refused(keyed.get(target, **bearer("wrong")))
    assert recalled(keyed) == before + 1


@pytest.mark.parametrize(
    "given",
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
def test_another_authorization_does_not_open(keyed: Site, given: bytes) -> None:
    """The hash that stands in the setting is no key either."""
    for target in ("/metrics", "/predict?sentence=a"):
        check_refused(keyed.send(with_header(target, b"Authorization", given)))


@pytest.mark.parametrize(
    "given",
    [
        b"veilleuse_key",
        b"veilleuse_key=",
        b"veilleuse_key=wrong",
        b"veilleuse_key=" + HASHED.encode(),
        b"VEILLEUSE_KEY=" + READ_KEY.encode(),
        b"my_veilleuse_key=" + READ_KEY.encode(),
        b'veilleuse_key="',
        b'veilleuse_key="\\777',
        b"veilleuse_key=\xff\xfe",
        b"veilleuse_key=\xc3\xa9",
        b"veilleuse_key=; veilleuse_key",
        b"=; ;;veilleuse_key;=",
        b"veilleuse_key[]=(1)",
        b"path=veilleuse_key",
        b"veilleuse_key" * 1000,
    ],
)
def test_a_broken_cookie_does_not_open(keyed: Site, given: bytes) -> None:
    """Other applications on the same host set what they like."""
    for target in ("/metrics", "/predict?sentence=a"):
        check_refused(keyed.send(with_header(target, b"Cookie", given)))


@pytest.mark.parametrize(
    "others", ['prefs={"a": 1}', "name=two words", "flag", "path=1", "a[b]=1", "x=\xe9"]
)
def test_another_applications_cookie_does_not_keep_ours_from_opening(
    keyed: Site, others: str
) -> None:
    """Cookies are shared by all that is served on a host, whatever its port."""
    ours = f"veilleuse_key={READ_KEY}"
    assert keyed.get("/metrics", Cookie=f"{others}; {ours}").status == 200
    assert keyed.get("/metrics", Cookie=f"{ours}; {others}").status == 200


def test_a_key_for_readers_adds_no_records(keyed: Site) -> None:
    """To read and to write are two rights."""
    items = [{"sentence": "ajouté par une clé qui lit", "intent": "purchase"}]
    for key in (READ_KEY, NEXT_KEY, None):
        reply = keyed.post("/records/intents", items, key)
        assert (reply.status, reply.content_type) == (401, "application/problem+json")
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert "API_KEYS" in reply.json()["detail"]
    assert not [row for row in keyed.records(origin="api") if "qui lit" in row.inputs]
    assert keyed.post("/records/intents", items, API_KEY).json()["created"] == 1


def kept_for(site: Site, sentence: str, **headers: str) -> list[str]:
    """Return what an answer says of being kept: as it is made, and as it is in memory."""
    target = f"/predict/intents?{query(sentence=sentence)}"
    return [site.get(target, **headers).headers["Cache-Control"] for _ in range(2)]


def test_answers_that_need_a_key_are_kept_by_nobody_but_their_client(keyed: Site) -> None:
    """A proxy would give them to those who have none."""
    assert kept_for(keyed, TAUGHT, **bearer(READ_KEY)) == ["private, max-age=600"] * 2
    cookie = f"veilleuse_key={READ_KEY}"
    assert kept_for(keyed, "le cookie", Cookie=cookie) == ["private, max-age=7"] * 2
    check_refused(keyed.get(FLAT))
    assert "public" not in keyed.get(FLAT, **bearer(READ_KEY)).headers["Cache-Control"]


def test_answers_for_everybody_may_be_kept_by_proxies(public: Site) -> None:
    """The student's for no longer than we keep them ourselves."""
    assert kept_for(public, TAUGHT) == ["public, max-age=600"] * 2
    assert kept_for(public, "une phrase pour un élève") == ["public, max-age=1"] * 2


def test_a_students_answer_leaves_memory_after_its_time(public: Site) -> None:
    """Or the teacher's would never be seen."""
    of = {"name": "veilleuse_answers_total", "dataset": "intents", "source": "student"}
    before = counted(public, **of)

    def is_made_again() -> bool:
        public.predict("une phrase qui vieillit")
        return counted(public, **of) >= before + 2

    public.predict("une phrase qui vieillit")
    assert counted(public, **of) >= before + 1
    until(is_made_again)


@pytest.mark.parametrize("setting", ["READ_KEYS", "API_KEYS"])
@pytest.mark.parametrize(
    "keys", ["sha256:", "sha256:zz", "sha256:" + "a" * 63, "sha256:" + "g" * 64, f"{HASHED}0"]
)
def test_a_hash_that_is_none_is_refused_at_start(sqlite_url: str, setting: str, keys: str) -> None:
    """Nobody could ever have the key."""
    make_store(sqlite_url).close()
    done = run_command(sqlite_url, "serve", "--check", **{setting: keys})
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1, done.err
    assert setting in done.err
    assert "sha256:" in done.err


def test_a_refused_start_tells_no_key(sqlite_url: str) -> None:
    """Its message goes into logs that more people read."""
    make_store(sqlite_url).close()
    done = run_command(sqlite_url, "serve", "--check", READ_KEYS=f"{READ_KEY},sha256:zz")
    assert "READ_KEYS" in done.err
    assert READ_KEY not in done.err
