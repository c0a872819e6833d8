"""A web process whose clock is wrong, or is set while it serves."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.answers import teach
from tests.integration.clients import asking
from tests.integration.conftest import Site, post_request, receive, serving_copy, until
from tests.integration.test_routes import counted
from tests.processes import PATIENCE_SECONDS
from tests.wrong_clock import WRONG_CLOCK

from .test_wrong_clock import CLOCKS, HOUR, faketime

# Seconds that the clock is ahead: at the start, and after it is set.
SET = [(0, HOUR), (0, -HOUR), (HOUR, 0), (-HOUR, 0)]
TAUGHT = "une phrase dont le professeur se souvient"
ITEMS = json.dumps([{"sentence": f"à l'heure {item}"} for item in range(1_000)]).encode()


@dataclass(frozen=True)
class Clocked:
    """A server, the file of its clock, and the seconds ahead to set."""

    site: Site
    clock: Path
    ahead: int

    def set(self) -> None:
        """Set the clock while the server may be reading it."""
        set_clock(self.clock, self.ahead)


def set_clock(clock: Path, ahead: int) -> None:
    """Write atomically how many seconds a clock is ahead."""
    new = clock.with_suffix(".new")
    new.write_text(f"{ahead:+d}", "ascii")
    new.replace(clock)


def wrong_clock(kind: str, folder: Path, ahead: int) -> tuple[Path, dict[str, str]]:
    """Return the file that sets how far ahead a server's clock is, and its environment."""
    clock = folder / "clock"
    set_clock(clock, ahead)
    if kind == "faketime":
        # The file replaces this variable.
        variables = {name: value for name, value in faketime(ahead).items() if name != "FAKETIME"}
        more = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
        return clock, variables | more
    # Python imports sitecustomize at its start, so every later use of the clock reads the file.
    customize = f"file = {str(clock)!r}\n{WRONG_CLOCK}"
    (folder / "sitecustomize.py").write_text(customize, "utf-8")
    return clock, {"PYTHONPATH": str(folder)}


@pytest.fixture(params=CLOCKS)
def serve_by(
    request: pytest.FixtureRequest, trained: Path, tmp_path: Path
) -> Iterator[Callable[..., Clocked]]:
    """Yield a function that starts a server with a clock that can be set."""
    running = []

    def start(ahead: tuple[int, int], **settings: str) -> Clocked:
        clock, environment = wrong_clock(request.param, tmp_path, ahead[0])
        running.append(serving_copy(trained, tmp_path / "own", **environment, **settings))
        site = running[-1].__enter__()
        check_clock(site, ahead[0])
        return Clocked(site, clock, ahead[1])

    yield start
    for server in running:
        server.__exit__(None, None, None)


def check_clock(site: Site, ahead: int) -> None:
    """Fail unless the log dates a request made now this many seconds ahead."""
    request_id = site.get("/livez").headers["X-Request-Id"]
    (line,) = until(
        lambda: [each for each in site.log.read_text().splitlines() if request_id in each]
    )
    stamp = re.match(r"\S+", line)
    assert stamp is not None
    logged = datetime.fromisoformat(stamp.group()).astimezone(UTC).timestamp()
    assert abs(logged - time.time() - ahead) < HOUR / 2


@pytest.mark.parametrize("ahead", SET)
def test_setting_the_clock_loses_no_request(
    serve_by: Callable[..., Clocked], ahead: tuple[int, int]
) -> None:
    """Every client gets more replies after the change, and the log shows the new time."""
    clocked = serve_by(ahead)
    with asking(clocked.site) as clients:
        clocked.set()
        check_clock(clocked.site, ahead[1])
        counts = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, counts, strict=True)))
    assert clocked.site.get("/readyz").status == 200


def test_a_request_received_while_the_clock_is_set_is_answered(
    serve_by: Callable[..., Clocked],
) -> None:
    """By the wrong clock the request took an hour to arrive; in fact it took a moment."""
    clocked = serve_by((0, HOUR))
    request = post_request("/predict/intents", ITEMS)
    with clocked.site.connect() as connection:
        connection.sendall(request[:-100])
        check_clock(clocked.site, 0)
        clocked.set()
        check_clock(clocked.site, HOUR)
        connection.sendall(request[-100:])
        assert receive(connection, "POST").status == 200


def test_a_cached_student_answer_expires_on_time_when_the_clock_is_set_back(
    serve_by: Callable[..., Clocked],
) -> None:
    """Otherwise the teacher's answer would not be served for an hour."""
    clocked = serve_by((0, -HOUR), STUDENT_TTL="2")
    assert clocked.site.predict(TAUGHT)["source"] == "student"
    teach(clocked.site.store, TAUGHT)
    clocked.set()
    until(lambda: clocked.site.predict(TAUGHT)["source"] == "teacher")


def test_a_cached_student_answer_stays_cached_when_the_clock_is_set_ahead(
    serve_by: Callable[..., Clocked],
) -> None:
    """Its lifetime is not over."""
    clocked = serve_by((0, HOUR), STUDENT_TTL="600")
    assert clocked.site.predict(TAUGHT)["source"] == "student"
    teach(clocked.site.store, TAUGHT)
    clocked.set()
    check_clock(clocked.site, HOUR)
    cache_hits = {"name": "veilleuse_answers_total", "dataset": "intents", "source": "memory"}
    before = counted(clocked.site, **cache_hits)
    assert clocked.site.predict(TAUGHT)["source"] == "student"
    assert counted(clocked.site, **cache_hits) == before + 1


@pytest.mark.parametrize("ahead", SET[:2])
def test_setting_the_clock_while_the_process_ends_loses_no_request(
    serve_by: Callable[..., Clocked], ahead: tuple[int, int]
) -> None:
    """Requests in progress are answered and their inputs written, and then the process exits."""
    clocked = serve_by(ahead)
    site = clocked.site
    before = site.record_count()
    with site.connect() as idle, site.connect() as busy:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert receive(idle).status == 200
        busy.sendall(post_request("/predict/intents", ITEMS))
        site.process.terminate()
        clocked.set()
        answers = receive(busy, "POST")
        assert (answers.status, len(answers.json())) == (200, 1_000)
    assert site.process.wait(PATIENCE_SECONDS) == 0
    assert site.record_count() == before + 1_000
