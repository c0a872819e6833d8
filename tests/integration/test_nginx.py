"""nginx in front of two web processes, with the configuration of real deployments."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from benchmark.target.nginx import nginx_command, running_nginx, write_config
from tests.conftest import ROOT
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


def test_the_documented_nginx_shows_the_server_under_a_path(trained: Path, tmp_path: Path) -> None:
    """It removes the path from the address; all pages and documents stay under it."""
    require_program("nginx", install="apt-get install nginx")
    port, folder = free_port(), tmp_path / "front"
    folder.mkdir()
    with serving_copy(trained, tmp_path / "site", TRUSTED_PROXIES="127.0.0.1") as site:
        config = write_config(folder, port, site.port)
        location = documented_location().replace("127.0.0.1:8000", f"127.0.0.1:{site.port}")
        config.write_text(
            config.read_text().replace("  location / {", f"{location}\n  location / {{")
        )
        nginx = subprocess.Popen(nginx_command(config))
        try:
            until(lambda: is_up(port))
            page = ask(port, "/ml/try/intents", headers={"Accept": "text/html"})
            document = ask(port, "/ml/openapi.json").json()
            style = ask(port, "/ml/docs/page.css")
        finally:
            nginx.terminate()
            nginx.wait(PATIENCE_SECONDS)
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page.body.decode())
    assert (page.status, style.status) == (200, 200)
    assert not [address for address in addresses if not address.startswith(("/ml/", "#"))]
    assert document["servers"] == [{"url": "/ml"}]


def documented_location() -> str:
    """Return the block of nginx's configuration in the documentation."""
    text = (ROOT / "docs/deploy.md").read_text("utf-8")
    return text[text.index("location /ml/ {") :].partition("\n}\n")[0] + "\n}\n"


def is_up(port: int) -> bool:
    """Return whether nginx passes requests on."""
    with suppress(OSError):
        return ask(port, "/livez").status == 200
    return False
