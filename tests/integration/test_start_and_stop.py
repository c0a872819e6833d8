"""The start and the end of the server process."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Done, make_store, register, run_command, sample_spec
from tests.processes import PATIENCE_SECONDS

from .conftest import Site, free_port, post_request, receive, serving, until

ITEMS = 500
CONNECTIONS = 8


def sentences_of(number: int) -> list[dict[str, str]]:
    """Return items that no other request contains."""
    return [{"sentence": f"phrase {number} sur {item}"} for item in range(ITEMS)]


def batch(number: int) -> bytes:
    """Return a request for many predictions."""
    return post_request("/predict/intents", json.dumps(sentences_of(number)).encode())


@pytest.fixture
def untrained(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Yield a server on a store with both specs and no model."""
    store = make_store(sqlite_url)
    for name in ("intents", "customers"):
        register(store, sample_spec(name))
    store.close()
    with serving(sqlite_url, tmp_path / "log.txt", ready="/livez") as running:
        yield running


def test_without_a_model_the_process_lives_and_is_not_ready(untrained: Site) -> None:
    """Routers send it no requests, and do not restart it."""
    assert untrained.get("/livez").status == 200
    assert untrained.get("/health").status == 200
    reply = untrained.get("/readyz")
    assert (reply.status, reply.content_type) == (503, "application/problem+json")
    assert "python -m enrich train" in reply.json()["detail"]
    assert int(reply.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "target", ["/predict?sentence=a", "/predict/intents?sentence=a", "/api/intent?sentence=a"]
)
def test_without_a_model_a_prediction_names_the_command_to_run(
    untrained: Site, target: str
) -> None:
    """The command has the dataset's name and is ready to be copied."""
    reply = untrained.get(target)
    assert (reply.status, reply.content_type) == (503, "application/problem+json")
    assert "python -m enrich train intents" in reply.json()["detail"]
    assert int(reply.headers["Retry-After"]) > 0


def test_without_a_model_many_predictions_name_the_command_too(untrained: Site) -> None:
    """No item could be answered, so the whole request is refused."""
    item = {"age": 1, "education": "PhD", "income": 1}
    reply = untrained.post("/predict/customers", [item])
    assert (reply.status, reply.content_type) == (503, "application/problem+json")
    assert "python -m enrich train customers" in reply.json()["detail"]


def test_without_a_model_the_other_routes_answer(untrained: Site) -> None:
    """Bad input is distinguished from a missing model, and pages show what there is."""
    assert untrained.get("/predict/intents").status == 400
    assert untrained.get("/api/intent-supported-languages").json() == ["fr-FR"]
    assert untrained.get("/").json()["datasets"]["intents"]["model"] is None
    for target in ("/metrics", "/docs", "/openapi.json"):
        assert untrained.get(target).status == 200


def test_an_empty_store_is_served(sqlite_url: str, tmp_path: Path) -> None:
    """Datasets may be added while the process runs."""
    make_store(sqlite_url).close()
    with serving(sqlite_url, tmp_path / "log.txt", ready="/livez") as site:
        assert site.get("/readyz").status == 503
        assert site.get("/predict?sentence=a").status == 400
        assert site.get("/predict/intents?sentence=a").status == 404
        register(site.store, sample_spec("intents"))
        until(lambda: site.get("/predict?sentence=a").status == 503)


def check_refused_start(done: Done, *words: str) -> None:
    """Fail unless the command ended with one line that has these words."""
    assert done.code == 1
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err


def test_a_start_without_tables_names_the_command_that_makes_them(sqlite_url: str) -> None:
    """A newcomer may forget this command."""
    check_refused_start(
        run_command(sqlite_url, "serve", PORT=str(free_port())), "python -m db upgrade"
    )


def test_a_start_on_a_platform_without_disk_refuses_sqlite(sqlite_url: str) -> None:
    """Every dyno would serve an empty store of its own."""
    make_store(sqlite_url).close()
    done = run_command(sqlite_url, "serve", DYNO="web.1")
    check_refused_start(done, "DATABASE_URL", "heroku-postgresql")


@pytest.mark.parametrize("port", ["none", "0", "65536"])
def test_a_start_with_a_bad_setting_names_it(sqlite_url: str, port: str) -> None:
    """The message has the setting's value too."""
    make_store(sqlite_url).close()
    check_refused_start(run_command(sqlite_url, "serve", PORT=port), "PORT", port)


def test_a_start_on_a_port_in_use_names_it(sqlite_url: str) -> None:
    """A port in use is the most common mistake."""
    make_store(sqlite_url).close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        check_refused_start(run_command(sqlite_url, "serve", PORT=port), "PORT", port)


def test_an_unknown_option_is_a_usage_error(sqlite_url: str) -> None:
    """Settings come only from the environment."""
    done = run_command(sqlite_url, "serve", "--port", "8000")
    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_port_is_free_again_after_the_end(sqlite_url: str, tmp_path: Path) -> None:
    """A restart must not have to wait for the port."""
    make_store(sqlite_url).close()
    port = str(free_port())
    for _ in range(2):
        with serving(sqlite_url, tmp_path / "log.txt", ready="/livez", PORT=port) as site:
            assert site.get("/livez").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_process_with_0(untrained: Site, number: signal.Signals) -> None:
    """Idle connections do not keep the process running."""
    with untrained.connect() as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive(idle).status == 200
        untrained.process.send_signal(number)
        assert untrained.process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in untrained.log.read_text()


@pytest.fixture
def connections(own_site: Site) -> Iterator[list[socket.socket]]:
    """Yield open connections on which one request each has been answered."""
    opened = [own_site.connect() for _ in range(CONNECTIONS)]
    for connection in opened:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive(connection).status == 200
    yield opened
    for connection in opened:
        connection.close()


def check_all_answered(site: Site, connections: list[socket.socket], before: int) -> None:
    """Fail unless each connection's batch is answered, and what was queued is written."""
    try:
        replies = [receive(connection, "POST") for connection in connections]
    finally:
        code = site.process.wait(PATIENCE_SECONDS)
    assert code == 0
    assert [reply.status for reply in replies] == [200] * len(connections)
    answers = [answer for reply in replies for answer in reply.json()]
    assert len(answers) == ITEMS * len(connections)
    assert all(answer["enrichment"] == "queued" for answer in answers)
    assert site.record_count() == before + len(answers)
    assert "Traceback" not in site.log.read_text()


def test_requests_in_flight_at_sigterm_are_answered_and_written(
    own_site: Site, connections: list[socket.socket]
) -> None:
    """Requests that wait for a thread are answered too."""
    before = own_site.record_count()
    for number, connection in enumerate(connections):
        connection.sendall(batch(number))
    own_site.process.terminate()
    check_all_answered(own_site, connections, before)


def test_requests_not_read_yet_at_sigterm_are_answered_and_written(
    own_site: Site, connections: list[socket.socket]
) -> None:
    """A process that was stopped for a while receives the requests and the signal together."""
    before = own_site.record_count()
    own_site.signal_all(signal.SIGSTOP)
    for number, connection in enumerate(connections):
        connection.sendall(batch(number))
    own_site.process.terminate()
    own_site.signal_all(signal.SIGCONT)
    check_all_answered(own_site, connections, before)


def test_connections_not_accepted_yet_at_sigterm_are_answered_and_written(own_site: Site) -> None:
    """For their clients, these connections are already open."""
    before = own_site.record_count()
    own_site.signal_all(signal.SIGSTOP)
    with ExitStack() as stack:
        waiting = [stack.enter_context(own_site.connect()) for _ in range(CONNECTIONS)]
        for number, connection in enumerate(waiting):
            connection.sendall(batch(number))
        own_site.process.terminate()
        own_site.signal_all(signal.SIGCONT)
        check_all_answered(own_site, waiting, before)


def test_after_sigterm_new_connections_are_refused(own_site: Site) -> None:
    """Routers then try another process."""
    own_site.process.terminate()
    assert own_site.process.wait(PATIENCE_SECONDS) == 0
    with pytest.raises(ConnectionRefusedError):
        own_site.connect()


def test_log_lines_as_json_have_each_requests_id(sqlite_url: str, tmp_path: Path) -> None:
    """Each line is one object, with the id that the client received."""
    make_store(sqlite_url).close()
    log = tmp_path / "log.txt"
    with serving(sqlite_url, log, ready="/livez", LOG_FORMAT="json") as site:
        request_id = site.get("/nothing").headers["X-Request-Id"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    (request_line,) = [line for line in lines if line.get("request_id") == request_id]
    assert "/nothing" in request_line["message"]
    assert "404" in request_line["message"]
