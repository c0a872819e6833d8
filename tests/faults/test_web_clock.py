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

from .test_wrong_clock import CLOCKS, HOUR, WRONG_CLOCK, faketime

# Seconds that the clock is ahead at the start, and then.
SET = [(0, HOUR), (0, -HOUR), (HOUR, 0), (-HOUR, 0)]
TAUGHT = "une phrase dont le professeur se souvient"
ITEMS = json.dumps([{"sentence": f"à l'heure {item}"} for item in range(1_000)]).encode()


@dataclass(frozen=True)
class Clocked:
    """A server, and its clock."""

    site: Site
    clock: Path
    ahead: int

    def set(self) -> None:
        """Set the clock, which the server may be reading just now."""
        set_clock(self.clock, self.ahead)


def set_clock(clock: Path, ahead: int) -> None:
    """Say how many seconds a clock is ahead."""
    new = clock.with_suffix(".new")
    new.write_text(f"{ahead:+d}", "ascii")
    new.replace(clock)


def wrong_clock(kind: str, folder: Path, ahead: int) -> tuple[Path, dict[str, str]]:
    """Return the file that says how far ahead a server's clock is, and its environment."""
    clock = folder / "clock"
    set_clock(clock, ahead)
    if kind == "faketime":
        # The file takes the place of what stands there.
        given = {name: it for name, it in faketime(ahead).items() if name != "FAKETIME"}
        more = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
        return clock, given | more
    # Python imports it at its start: what reads the clock afterwards reads what the file says.
    customize = f"file = {str(clock)!r}\n{WRONG_CLOCK}"
    (folder / "sitecustomize.py").write_text(customize, "utf-8")
    return clock, {"PYTHONPATH": str(folder)}


@pytest.fixture(params=CLOCKS)
def serve_by(
    request: pytest.FixtureRequest, trained: Path, tmp_path: Path
) -> Iterator[Callable[..., Clocked]]:
    """Give a function that starts a server by a clock that will be set."""
    running = []

    def start(ahead: tuple[int, int], **settings: str) -> Clocked:
        clock, environment = wrong_clock(request.param, tmp_path, ahead[0])
        running.append(serving_copy(trained, tmp_path / "own", **environment, **settings))
        site = running[-1].__enter__()
        check_clock(site, ahead[0])
        return Clocked(site, clock, ahead[1])

    yield start
    for one in running:
        one.__exit__(None, None, None)


def check_clock(site: Site, ahead: int) -> None:
    """Fail unless the log's last line, of a request made now, is so many seconds ahead."""
    seen = site.get("/livez").headers["X-Request-Id"]
    (line,) = until(lambda: [one for one in site.log.read_text().splitlines() if seen in one])
    told = re.match(r"\S+", line)
    assert told is not None
    logged = datetime.fromisoformat(told.group()).astimezone(UTC).timestamp()
    assert abs(logged - time.time() - ahead) < HOUR / 2


@pytest.mark.parametrize("ahead", SET)
def test_a_clock_that_is_set_costs_no_request(
    serve_by: Callable[..., Clocked], ahead: tuple[int, int]
) -> None:
    """Neither what is asked nor what is kept for later; the log tells the new time."""
    clocked = serve_by(ahead)
    with asking(clocked.site) as clients:
        clocked.set()
        check_clock(clocked.site, ahead[1])
        seen = [len(client.replies) for client in clients]
        until(lambda: all(len(c.replies) > n for c, n in zip(clients, seen, strict=True)))
    assert clocked.site.get("/readyz").status == 200


def test_a_request_that_is_coming_while_the_clock_is_set_is_answered(
    serve_by: Callable[..., Clocked],
) -> None:
    """It took an hour by that clock, and a moment by ours."""
    clocked = serve_by((0, HOUR))
    request = post_request("/predict/intents", ITEMS)
    with clocked.site.connect() as connection:
        connection.sendall(request[:-100])
        check_clock(clocked.site, 0)
        clocked.set()
        check_clock(clocked.site, HOUR)
        connection.sendall(request[-100:])
        assert receive(connection, "POST").status == 200


def test_a_students_answer_leaves_memory_in_its_time_when_the_clock_is_set_back(
    serve_by: Callable[..., Clocked],
) -> None:
    """Else the teacher's would not be seen for an hour."""
    clocked = serve_by((0, -HOUR), STUDENT_TTL="2")
    assert clocked.site.predict(TAUGHT)["source"] == "student"
    teach(clocked.site.store, TAUGHT)
    clocked.set()
    until(lambda: clocked.site.predict(TAUGHT)["source"] == "teacher")


def test_a_students_answer_stays_in_memory_when_the_clock_is_set_ahead(
    serve_by: Callable[..., Clocked],
) -> None:
    """Its time is not over."""
    clocked = serve_by((0, HOUR), STUDENT_TTL="600")
    assert clocked.site.predict(TAUGHT)["source"] == "student"
    teach(clocked.site.store, TAUGHT)
    clocked.set()
    check_clock(clocked.site, HOUR)
    from_memory = {"name": "veilleuse_answers_total", "dataset": "intents", "source": "memory"}
    before = counted(clocked.site, **from_memory)
    assert clocked.site.predict(TAUGHT)["source"] == "student"
    assert counted(clocked.site, **from_memory) == before + 1


@pytest.mark.parametrize("ahead", SET[:2])
def test_a_clock_that_is_set_while_the_process_ends_loses_no_request(
    serve_by: Callable[..., Clocked], ahead: tuple[int, int]
) -> None:
    """What has come is answered and written, and the end neither comes at once nor never."""
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
