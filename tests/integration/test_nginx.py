"""nginx in front of two web processes, with the configuration of real deployments."""

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
def running_front(folder: Path, *sites: Site) -> Iterator[int]:
    """Run nginx in front of web processes; yield its port."""
    require_program("nginx", install="apt-get install nginx")
    folder.mkdir(exist_ok=True)
    port = free_port()
    with running_nginx(folder, port, *(site.port for site in sites)):
        yield port


@pytest.fixture
def two_processes(trained: Path, tmp_path: Path) -> Iterator[list[Site]]:
    """Yield two web processes whose answers may be cached."""
    with ExitStack() as running:
        yield [
            running.enter_context(serving_copy(trained, tmp_path / name, MAX_AGE="60"))
            for name in ("a", "b")
        ]


def test_nginx_answers_a_repeated_request_from_its_cache(
    two_processes: list[Site], tmp_path: Path
) -> None:
    """The cached answer is the same; another input is not in the cache."""
    with running_front(tmp_path / "front", *two_processes) as port:
        first, second = ask(port, HOTEL), ask(port, HOTEL)
        other = ask(port, f"{HOTEL}+demain")
    assert (first.status, first.headers["X-Cache"]) == (200, "MISS")
    assert (second.status, second.headers["X-Cache"]) == (200, "HIT")
    assert second.body == first.body
    assert other.headers["X-Cache"] == "MISS"


def test_an_answer_that_needs_a_key_is_not_cached_for_clients_without(
    trained: Path, tmp_path: Path
) -> None:
    """A client without a key gets 401, even after a client with one."""
    with (
        serving_copy(trained, tmp_path / "keyed", READ_KEYS=KEY, MAX_AGE="60") as site,
        running_front(tmp_path / "front", site) as port,
    ):
        for _ in range(3):
            allowed = ask(port, HOTEL, headers={"Authorization": f"Bearer {KEY}"})
            assert (allowed.status, allowed.headers["X-Cache"]) == (200, "MISS")
            assert ask(port, HOTEL).status == 401


def test_a_web_process_can_end_under_load_without_a_failed_request(
    two_processes: list[Site], tmp_path: Path
) -> None:
    """The other process answers what the ending one no longer accepts."""
    seen: list[int] = []
    ended = threading.Event()
    with running_front(tmp_path / "front", *two_processes) as port:

        def send_requests(client: int) -> None:
            number = 0
            while not ended.is_set():
                number += 1
                seen.append(ask(port, f"{HOTEL}+{client}x{number}").status)

        clients = [threading.Thread(target=send_requests, args=(client,)) for client in range(4)]
        for thread in clients:
            thread.start()
        until(lambda: len(seen) > 100)
        two_processes[0].process.terminate()
        assert two_processes[0].process.wait(PATIENCE_SECONDS) == 0
        before = len(seen)
        until(lambda: len(seen) > before + 100)
        ended.set()
        for thread in clients:
            thread.join()
    assert set(seen) == {200}


def test_metrics_of_web_processes_are_only_served_locally(
    two_processes: list[Site], tmp_path: Path
) -> None:
    """Local clients get them; the nginx configuration denies them to all others."""
    with running_front(tmp_path / "front", *two_processes) as port:
        assert ask(port, "/metrics").status == 200
        config = (tmp_path / "front" / "nginx.conf").read_text("utf-8")
    assert "deny all;" in config.partition("location = /metrics")[2]
