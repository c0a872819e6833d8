"""nginx before two web processes, with the configuration that deployments have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from benchmark.target.nginx import running_nginx
from tests.processes import PATIENCE_SECONDS
from tests.programs import require_program

from .conftest import Site, ask, free_port, query, serving_copy, until

pytestmark = pytest.mark.slow
KEY = "a-key-for-readers"
HOTEL = f"/predict/intents?{query(sentence='Trouve un hôtel près de Talence')}"


@contextmanager
def front(folder: Path, *sites: Site) -> Iterator[int]:
    """Run nginx before web processes; gives its port."""
    require_program("nginx", install="apt-get install nginx")
    folder.mkdir(exist_ok=True)
    port = free_port()
    with running_nginx(folder, port, *(site.port for site in sites)):
        yield port


@pytest.fixture
def pair(trained: Path, tmp_path: Path) -> Iterator[list[Site]]:
    """Give two web processes that let others keep answers."""
    with ExitStack() as running:
        yield [
            running.enter_context(serving_copy(trained, tmp_path / name, MAX_AGE="60"))
            for name in ("a", "b")
        ]


def test_nginx_answers_what_it_was_told_without_asking_again(
    pair: list[Site], tmp_path: Path
) -> None:
    """The same answer, out of its cache; an unseen input is another question."""
    with front(tmp_path / "front", *pair) as port:
        first, second = ask(port, HOTEL), ask(port, HOTEL)
        other = ask(port, f"{HOTEL}+demain")
    assert (first.status, first.headers["X-Cache"]) == (200, "MISS")
    assert (second.status, second.headers["X-Cache"]) == (200, "HIT")
    assert second.body == first.body
    assert other.headers["X-Cache"] == "MISS"


def test_an_answer_for_those_with_a_key_is_kept_from_those_without(
    trained: Path, tmp_path: Path
) -> None:
    """Whoever asked before them."""
    with (
        serving_copy(trained, tmp_path / "keyed", READ_KEYS=KEY, MAX_AGE="60") as site,
        front(tmp_path / "front", site) as port,
    ):
        for _ in range(3):
            allowed = ask(port, HOTEL, headers={"Authorization": f"Bearer {KEY}"})
            assert (allowed.status, allowed.headers["X-Cache"]) == (200, "MISS")
            assert ask(port, HOTEL).status == 401


def test_a_web_process_may_end_while_people_ask_and_nobody_notices(
    pair: list[Site], tmp_path: Path
) -> None:
    """The other one answers what it no longer takes."""
    seen: list[int] = []
    ended = threading.Event()
    with front(tmp_path / "front", *pair) as port:

        def go_on_asking(who: int) -> None:
            number = 0
            while not ended.is_set():
                number += 1
                seen.append(ask(port, f"{HOTEL}+{who}x{number}").status)

        people = [threading.Thread(target=go_on_asking, args=(who,)) for who in range(4)]
        for person in people:
            person.start()
        until(lambda: len(seen) > 100)
        pair[0].process.terminate()
        assert pair[0].process.wait(PATIENCE_SECONDS) == 0
        before = len(seen)
        until(lambda: len(seen) > before + 100)
        ended.set()
        for person in people:
            person.join()
    assert set(seen) == {200}


def test_figures_of_web_processes_are_told_within_only(pair: list[Site], tmp_path: Path) -> None:
    """To this machine they are; the rule for others is nginx's own."""
    with front(tmp_path / "front", *pair) as port:
        assert ask(port, "/metrics").status == 200
        config = (tmp_path / "front" / "nginx.conf").read_text("utf-8")
    assert "deny all;" in config.partition("location = /metrics")[2]
