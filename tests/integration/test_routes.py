"""The other routes, and headers and metrics that all answers have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import sample_spec

from .conftest import Reply, Site, get_request, query

SENTENCE = "je cherche un vol pour Lisbonne"
FLAT = f"/api/intent?{query(sentence=SENTENCE)}"
PREDICT = f"/predict/intents?{query(sentence=SENTENCE)}"
ANSWERS = ["/", "/predict/intents?sentence=a", FLAT, "/metrics", "/openapi.json", "/docs"]
HEALTH = ["/health", "/api/health", "/livez", "/readyz"]


def test_the_flat_route_gives_every_label_and_nothing_else(site: Site) -> None:
    """Existing clients rely on this format."""
    reply = site.get(FLAT)
    assert (reply.status, reply.content_type) == (200, "application/json")
    flat = reply.json()
    assert set(flat) == set(sample_spec("intents").labels)
    assert len(flat) == 8
    assert all(isinstance(share, float) and share == round(share, 4) for share in flat.values())
    assert sum(flat.values()) == pytest.approx(1, abs=0.002)
    assert max(flat, key=flat.__getitem__) == "find-flight"


def test_the_flat_route_agrees_with_predict(site: Site) -> None:
    """The flat route only rounds the probabilities."""
    full = site.get(PREDICT).json()["probabilities"]
    assert site.get(FLAT).json() == {label: round(share, 4) for label, share in full.items()}


@pytest.mark.parametrize(
    "others", ["locale=fr-FR", "age=30&x", "x=1&x=2", "=", "intent=purchase", "Sentence=b"]
)
def test_the_flat_route_ignores_other_parameters(site: Site, others: str) -> None:
    """Existing clients send parameters that this server does not know."""
    plain = site.get(FLAT).json()
    for target in (f"{FLAT}&{others}", FLAT.replace("?", f"?{others}&")):
        reply = site.get(target)
        assert reply.status == 200, reply.body
        assert reply.json() == plain


def test_the_languages_are_those_of_the_spec(site: Site) -> None:
    """The answer is a plain array; other parameters are ignored."""
    for target in ("/api/intent-supported-languages", "/api/intent-supported-languages?a=1"):
        reply = site.get(target)
        assert (reply.status, reply.content_type) == (200, "application/json")
        assert reply.json() == ["fr-FR"]


@pytest.mark.parametrize("target", HEALTH)
def test_a_healthy_process_says_so(site: Site, target: str) -> None:
    """Routers and monitors read the status."""
    reply = site.get(target)
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert reply.json()["status"] == ("ready" if target == "/readyz" else "ok")


def test_the_root_welcomes_programs_with_links_that_answer(site: Site) -> None:
    """A client that knows this address can find all the others."""
    reply = site.get("/")
    assert reply.content_type == "application/json"
    welcome = reply.json()
    assert set(welcome["datasets"]) == {"intents", "customers"}
    examples = [dataset["example"] for dataset in welcome["datasets"].values()]
    for target in [*examples, *welcome["links"].values()]:
        assert site.get(target).status == 200


def test_the_root_welcomes_people_with_a_page(site: Site) -> None:
    """The Accept header of a browser asks for HTML."""
    reply = site.get("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (reply.status, reply.content_type) == (200, "text/html")
    assert reply.headers.get_content_charset() == "utf-8"
    assert "Intents of French utterances" in reply.body.decode()


@pytest.mark.parametrize("target", [*ANSWERS, *HEALTH, "/nothing", "/predict/intents"])
def test_head_answers_as_get_does_without_the_body(site: Site, target: str) -> None:
    """Monitors send HEAD requests."""
    head, get = site.ask("HEAD", target), site.get(target)
    assert (head.status, head.content_type) == (get.status, get.content_type)
    assert head.body == b""
    if target != "/metrics":
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
        assert head.headers["ETag"] == get.headers["ETag"]


@pytest.mark.parametrize("target", ANSWERS)
def test_an_answer_may_be_cached_if_it_is_revalidated(site: Site, target: str) -> None:
    """The answer may change with the next generation."""
    reply = site.get(target)
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.headers["ETag"].strip('"')


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
@pytest.mark.parametrize("target", [PREDICT, FLAT, "/docs"])
def test_an_answer_that_a_client_has_already_is_not_sent_again(
    site: Site, target: str, form: str
) -> None:
    """The client sends the ETag of the answer that it has."""
    tag = site.get(target).headers["ETag"]
    reply = site.get(target, If_None_Match=form.format(tag))
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["ETag"] == tag
    assert reply.headers["Cache-Control"] == "no-cache"


def test_an_answer_is_sent_to_a_client_that_has_another_one(site: Site) -> None:
    """Another input has another ETag."""
    other = site.get("/predict/intents?sentence=autre").headers["ETag"]
    reply = site.get(PREDICT, If_None_Match=other)
    assert (reply.status, reply.json()["dataset"]) == (200, "intents")


@pytest.mark.parametrize("request_id", ["a", "0af7651916cd43dd", "A.b_c-9", "x" * 64])
@pytest.mark.parametrize("target", ["/livez", PREDICT, "/nothing", "/predict"])
def test_a_valid_request_id_is_sent_back(site: Site, request_id: str, target: str) -> None:
    """The id lets a user follow a request through several logs."""
    assert site.get(target, X_Request_Id=request_id).headers["X-Request-Id"] == request_id


@pytest.mark.parametrize("invalid", [b"a b", b"x" * 65, b"a;b", b"\xc3\xa9", b"\xff", b"<b>", b""])
def test_an_invalid_request_id_is_replaced(site: Site, invalid: bytes) -> None:
    """It would go into logs and pages unchanged."""
    request = get_request(b"/livez").replace(b"\r\n\r\n", b"\r\nX-Request-Id: %s\r\n\r\n" % invalid)
    request_id = site.send(request).headers["X-Request-Id"]
    assert request_id.isalnum()
    assert request_id.encode() != invalid


@pytest.mark.parametrize("target", ["/", "/livez", PREDICT, "/docs"])
@pytest.mark.parametrize("header", [b"Accept", b"If-None-Match", b"Authorization", b"Cookie"])
def test_a_header_that_is_not_utf8_does_not_prevent_an_answer(
    site: Site, target: str, header: bytes
) -> None:
    """A header may contain bytes that are not text."""
    request = get_request(target.encode())
    reply = site.send(request.replace(b"\r\n\r\n", b"\r\n%s: \xff\r\n\r\n" % header))
    assert (reply.status, reply.content_type) == (200, site.get(target).content_type)


def test_every_request_has_an_id_of_its_own(site: Site) -> None:
    """Otherwise an id would not identify one request."""
    assert len({site.get("/livez").headers["X-Request-Id"] for _ in range(20)}) == 20


def figures(site: Site) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample of /metrics by its name and labels."""
    reply = site.get("/metrics")
    assert (reply.status, reply.content_type) == (200, "text/plain")
    return dict(_samples(reply))


def _samples(reply: Reply) -> Iterator[tuple[tuple[str, frozenset[tuple[str, str]]], float]]:
    for family in text_string_to_metric_families(reply.body.decode()):
        assert family.documentation
        for sample in family.samples:
            yield (sample.name, frozenset(sample.labels.items())), sample.value


def counted(site: Site, name: str, **labels: str) -> float:
    """Return one sample, or 0 if nothing has been counted."""
    return figures(site).get((name, frozenset(labels.items())), 0)


def test_requests_are_counted_by_route_method_and_status(site: Site) -> None:
    """Refused requests are counted too."""
    labels = {"route": "/predict/<name>", "method": "GET"}
    name = "veilleuse_requests_total"
    good, bad = (
        counted(site, name, status="200", **labels),
        counted(site, name, status="400", **labels),
    )
    for target in (PREDICT, PREDICT, "/predict/intents"):
        site.get(target)
    assert counted(site, name, status="200", **labels) == good + 2
    assert counted(site, name, status="400", **labels) == bad + 1
    assert counted(site, "veilleuse_request_seconds_count", route="/predict/<name>") >= 3


def test_answers_are_counted_by_where_they_came_from(site: Site) -> None:
    """The first answer is the student's, the others come from the cache."""
    name, labels = "veilleuse_answers_total", {"dataset": "intents"}
    before = [counted(site, name, source=source, **labels) for source in ("student", "memory")]
    for _ in range(3):
        site.predict("une question à compter")
    after = [counted(site, name, source=source, **labels) for source in ("student", "memory")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 2]


@pytest.mark.parametrize("header", [{"Origin": "https://a.example"}, {"If_None_Match": '"other"'}])
def test_cached_answers_are_used_for_browsers_too(site: Site, header: dict[str, str]) -> None:
    """Browsers send more headers than other clients."""
    target = f"/predict/intents?{query(sentence=f'une question de {header}')}"
    site.get(target)
    name, labels = "veilleuse_answers_total", {"dataset": "intents", "source": "memory"}
    before = counted(site, name, **labels)
    assert site.get(target, **header).status == 200
    assert counted(site, name, **labels) == before + 1


def test_the_state_of_the_process_is_in_the_metrics(site: Site) -> None:
    """Alerts use these metrics."""
    assert counted(site, "veilleuse_store_up") == 1
    assert counted(site, "veilleuse_unseen_queue_dropped") == 0
    assert counted(site, "veilleuse_generation") > 0
    assert counted(site, "veilleuse_web_memory_bytes") > 0


def test_names_that_clients_make_up_add_no_metrics(site: Site) -> None:
    """Each metric takes memory for as long as the process runs."""

    def make_up(word: str) -> None:
        site.get(f"/{word}")
        site.get(f"/predict/{word}?{word}=1")
        site.get(f"/predict?{word}=1")
        site.ask(word, "/predict")

    make_up("FIRST")
    before = len(figures(site))
    for word in ("SECOND", "THIRD", "FOURTH"):
        make_up(word)
    assert len(figures(site)) == before
