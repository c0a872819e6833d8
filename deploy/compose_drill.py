"""Bring up deploy/compose.yaml with podman, and disturb it under load: make compose.

A dataset is imported and trained, and clients ask for inputs that were never seen, through nginx.
Meanwhile the worker is killed, PostgreSQL is restarted, and both web containers are replaced one
after the other. Then every input that was called "queued" must be a record with a prediction.

Exit code 0: nothing was lost, and every container is confined; 1: otherwise.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from benchmark.processes import free_port, is_answering, run_to_end

ROOT = Path(__file__).parent.parent
PROJECT = "veilleuse-drill"
# Not that of a stack that runs here as it is documented.
FRONT_NETWORK = "172.30.84"
DATASET = "intents"
CLIENTS = 4
PATIENCE_SECONDS = 180.0
# A process without any capability that cannot gain one.
CONFINED = {"CapEff:\t0000000000000000", "NoNewPrivs:\t1"}
WEB = ("web-a", "web-b")
NGINX_CONF = "/etc/nginx/templates/nginx.conf"
RUNNING = ("store", *WEB, "worker", "front")


class Stack:
    """The containers of the Compose file."""

    def __init__(self) -> None:
        self.port = free_port()
        compose = str(Path(sys.executable).with_name("podman-compose"))
        self._compose = (compose, "-p", PROJECT, "-f", "deploy/compose.yaml")
        password = secrets.token_hex(12)
        self._url = f"postgresql://veilleuse:{password}@store/veilleuse"
        self._environment = {
            **os.environ,
            "POSTGRES_PASSWORD": password,
            "PORT": str(self.port),
            "FRONT_NETWORK": FRONT_NETWORK,
        }

    def compose(self, *arguments: str) -> None:
        """Run podman-compose."""
        _run(*self._compose, *arguments, environment=self._environment)

    def start(self, *services: str) -> None:
        """Start services alone: older versions of podman cannot wait for others to be healthy."""
        self.compose("up", "-d", "--no-build", "--no-deps", *services)

    def replace(self, service: str) -> None:
        """Stop a service's container, and start a new one; podman-compose would end others too."""
        _run("podman", "stop", "--time", "30", _container(service))
        _run("podman", "rm", _container(service))
        self.start(service)

    def command(self, *words: str) -> str:
        """Run a command of Veilleuse in a container of its own; return its output.

        The worker's container has the smallest share of the processor that there is.
        """
        options = ("--rm", "--network", f"{PROJECT}_store", "--env", f"DATABASE_URL={self._url}")
        return _run("podman", "run", *options, "veilleuse-worker", "python", "-m", *words)

    def execute(self, service: str, *command: str) -> str:
        """Run a command in a service's container; return its output."""
        return _run("podman", "exec", _container(service), *command)

    def wait_until_healthy(self, service: str) -> None:
        """Run a service's health check, which without systemd nobody else does, until it passes."""
        check = ("podman", "healthcheck", "run", _container(service))
        _wait(lambda: _succeeds(*check), f"{service} is not healthy")


def _container(service: str) -> str:
    return f"{PROJECT}_{service}_1"


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    return run_to_end(" ".join(command), list(command), environment or dict(os.environ))


def _succeeds(*command: str) -> bool:
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  as above
    return done.returncode == 0


def _wait(condition: Callable[[], bool], message: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"{message} after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.2)


class Clients:
    """Threads that ask for inputs that were never seen, and count the answers."""

    def __init__(self, port: int) -> None:
        self.answers: Counter[str] = Counter()
        self.longest_seconds = 0.0
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(at,)) for at in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        number = client
        while not self._stop.wait(0.05):
            number += CLIENTS
            began = time.monotonic()
            answer = self._answer(f"sentence=Trouve+le+num%C3%A9ro+{number}")
            with self._lock:
                self.answers[answer] += 1
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)

    def _answer(self, query: str) -> str:
        url = f"http://127.0.0.1:{self._port}/predict/{DATASET}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return str(json.load(response)["enrichment"])
        except urllib.error.HTTPError as error:
            return f"status {error.code}"
        except OSError as error:
            return f"failed: {getattr(error, 'reason', error)}"


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Bring everything up; at the end, remove containers, networks and volumes."""
    stack = Stack()
    stack.compose("down", "-v", "-t", "1")
    try:
        stack.start("store")
        stack.wait_until_healthy("store")
        stack.start("release")
        if _run("podman", "wait", _container("release")).strip() != "0":
            sys.exit(f"the release failed: {_run('podman', 'logs', _container('release'))}")
        stack.start(*WEB, "worker")
        for service in WEB:
            _wait(lambda of=service: _serves(of), f"{service} does not answer")
        stack.start("front")
        _wait(lambda: is_answering(stack.port, "/livez"), "nginx does not answer")
        yield stack
    finally:
        stack.compose("down", "-v", "-t", "10")


def _serves(service: str) -> bool:
    ask = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"
    return _succeeds("podman", "exec", _container(service), "python", "-c", ask)


def fill(stack: Stack) -> None:
    """Import a dataset and train its model."""
    for command in (
        ("db", "import", DATASET, f"datasets/{DATASET}.csv"),
        ("enrich", "once"),
        ("enrich", "train", DATASET),
        ("enrich", "once"),
    ):
        stack.command(*command)
    for service in WEB:
        stack.wait_until_healthy(service)


def disturb(stack: Stack) -> None:
    """Kill the worker, restart PostgreSQL, and replace both web containers."""
    _step("the worker is killed and started again")
    _run("podman", "kill", "--signal", "KILL", _container("worker"))
    _run("podman", "start", _container("worker"))
    _step("PostgreSQL is restarted")
    _run("podman", "restart", "--time", "30", _container("store"))
    stack.wait_until_healthy("store")
    for service in WEB:
        _step(f"{service} is replaced")
        stack.replace(service)
        stack.wait_until_healthy(service)
        # nginx resolves the names of its servers only when it starts or reloads.
        stack.execute("front", "nginx", "-c", NGINX_CONF, "-s", "reload")
        time.sleep(2)


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


def lost_inputs(stack: Stack, queued: int) -> tuple[int, int]:
    """Return how many queued inputs became no record, and how many records have no prediction."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (missing := queued - _asked(stack)) > 0 and time.monotonic() < until:
        time.sleep(1)
    stack.command("enrich", "once")
    status = _dataset(stack)
    return max(missing, 0), int(status["records"]) - int(status["predictions"])


def _asked(stack: Stack) -> int:
    return int(_dataset(stack)["asked"])


def _dataset(stack: Stack) -> dict[str, Any]:
    output = stack.command("db", "status", "--json")
    return next(each for each in json.loads(output)["datasets"] if each["name"] == DATASET)


def unconfined(stack: Stack) -> Iterator[str]:
    """Yield what a service may do and should not."""
    for service in RUNNING:
        status = stack.execute(service, "cat", "/proc/1/status").splitlines()
        missing = CONFINED - set(status)
        if missing or "Uid:\t0\t0\t0\t0" in status:
            yield f"{service}: {', '.join(missing) or 'runs as root'}"
        if _succeeds("podman", "exec", _container(service), "touch", "/etc/written"):
            yield f"{service}: its root file system can be written"
    query = (
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname='veilleuse'"
    )
    sql = ("psql", "-h", "/run/postgresql", "-U", "postgres", "-tAc", query)
    if stack.execute("store", *sql).strip() != "f":
        yield "the role of the application may do more than use its database"
    if _succeeds("podman", "exec", _container("front"), "getent", "hosts", "store"):
        yield "nginx can reach the store"


def main() -> int:
    """Run the drill, print what happened, and return the exit code."""
    with running_stack() as stack:
        _step("everything is up")
        fill(stack)
        _step("a dataset is imported and trained")
        with Clients(stack.port) as clients:
            time.sleep(3)
            disturb(stack)
            time.sleep(3)
        lost, unpredicted = lost_inputs(stack, clients.answers["queued"])
        faults = list(unconfined(stack))
    answers, queued = sum(clients.answers.values()), clients.answers["queued"]
    failed = {name: count for name, count in clients.answers.items() if " " in name}
    print(f"{answers:,} answers, {queued:,} inputs queued, {lost} of them lost")
    print(f"records without a prediction: {unpredicted}")
    print(f"failed requests: {failed or 'none'}; the longest took {clients.longest_seconds:.2f} s")
    print(f"containers that are not confined: {'; '.join(faults) or 'none'}")
    return int(bool(lost or unpredicted or failed or faults or not queued))


if __name__ == "__main__":
    sys.exit(main())
