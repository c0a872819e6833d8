"""The load as Locust sends it; benchmark/load/generator.py starts Locust with this file.

It records the duration of each answer itself, since Locust rounds its percentiles: under a closed
load from when the request was sent, under an open load from when it was due.
"""

from __future__ import annotations

import csv
import errno
import functools
import gc
import gzip
import json
import os
import random
import resource
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
from geventhttpclient.url import URL
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopUser

from benchmark.load.inputs import read_rows, request_paths
from benchmark.load.run_plan import ARRIVAL_SECONDS, SOURCES, FileNames, Plan

PLAN = msgspec.json.decode(Path(os.environ["PLAN"]).read_bytes(), type=Plan)
HEADERS: dict[str, str] = json.loads(os.environ.get("HEADERS", "{}"))
SCENARIO = PLAN.scenario
OK = 200
TICK_SECONDS = 1.0
# An open load has at most this many requests in flight; the others are not sent, but counted.
MAX_IN_FLIGHT = 4_000


def source_of(content: bytes) -> int:
    """Return the index in SOURCES of the source that an answer names; 0 if it names none."""
    for number, name in enumerate(SOURCES):
        if name and b'"source":"%s"' % name.encode() in content[:2000]:
            return number
    return 0


def error_name(error: BaseException) -> str:
    """Return the name of a failure: ECONNREFUSED, or the class of the error."""
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(number)) if number else type(error).__name__


def cpu_wait_seconds() -> float:
    """Return how long this process has been ready to run but had no core."""
    try:
        return int(Path("/proc/self/schedstat").read_text("ascii").split()[1]) / 1e9
    except OSError:
        return 0.0


class ResponseLog:
    """Records every answer of the run, and the generator's own state every second."""

    def __init__(self) -> None:
        self.zero = time.monotonic()
        self.began, self.milliseconds = array("d"), array("d")
        self.statuses, self.sources = array("H"), array("B")
        self.failures: Counter[str] = Counter()
        self.unsent = 0
        self.ticks: list[list[float]] = []

    def record(self, began: float, status: int, content: bytes, failure: str) -> None:
        """Record the answer to a request that began at a monotonic time, or its failure."""
        self.began.append(began - self.zero)
        self.milliseconds.append(1000 * (time.monotonic() - began))
        self.statuses.append(status)
        self.sources.append(source_of(content) if not failure else 0)
        if failure:
            self.failures[failure] += 1

    def tick(self, users: int, lag_seconds: float, used: float, waited: float) -> None:
        """Record the last second: users, lag, CPU used and CPU waited for as shares of a core."""
        now = time.monotonic() - self.zero
        self.ticks.append([round(value, 4) for value in (now, users, lag_seconds, used, waited)])

    def write(self, folder: Path) -> None:
        """Write all records to files."""
        with gzip.open(folder / FileNames.requests, "wt", newline="", compresslevel=3) as file:
            rows = csv.writer(file)
            rows.writerow(["began_seconds", "milliseconds", "status", "source"])
            began = map("{:.4f}".format, self.began)
            milliseconds = map("{:.3f}".format, self.milliseconds)
            names = (SOURCES[number] for number in self.sources)
            rows.writerows(zip(began, milliseconds, self.statuses, names, strict=True))
        with (folder / FileNames.seconds).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["seconds", "users", "lag_seconds", "cpu", "waiting_for_cpu"])
            rows.writerows(self.ticks)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        counts = {"failures": self.failures, "unsent": self.unsent, "descriptors": limit}
        (folder / FileNames.counts).write_text(json.dumps(counts), "utf-8")


# The objects of 5,000 users are not garbage, and collecting takes a tenth of the generator's time.
gc.disable()
responses = ResponseLog()
next_paths = request_paths(SCENARIO.dataset, SCENARIO.asks, read_rows(Path(PLAN.rows)), PLAN.mark)


@functools.cache
def parse_host(host: str) -> tuple[URL, str]:
    """Return a host as the connection pool takes it, and the prefix of all paths on it."""
    address = URL(host)
    return address, address.path.rstrip("/")


def send_request(user: FastHttpUser, began: float) -> None:
    """Send the next request, and record its duration from a monotonic time.

    It uses the connections below Locust's client: the client adds request objects, redirects and
    statistics that are not used here, and takes a third of the generator's time.
    """
    address, prefix = parse_host(user.host or "")
    try:
        client = user.client.client.clientpool.get_client(address)
        response = client.get(prefix + next(next_paths), HEADERS)
        content, status = response.read(), response.status_code
    except Exception as error:  # noqa: BLE001  any error means that there is no answer
        responses.record(began, 0, b"", error_name(error))
    else:
        responses.record(began, status, content, "" if status == OK else str(status))


class ClosedLoopUser(FastHttpUser):
    """A user who waits for each answer and a few seconds more, on a connection that stays open."""

    abstract = SCENARIO.is_open

    def wait_time(self) -> float:
        return random.uniform(*SCENARIO.wait_seconds)  # noqa: S311  no secret

    def on_start(self) -> None:
        # Locust starts all new users of a second at once.
        time.sleep(random.uniform(0, ARRIVAL_SECONDS))  # noqa: S311

    @task
    def send_next(self) -> None:
        send_request(self, time.monotonic())


class OpenLoopSender(FastHttpUser):
    """Sends requests at a fixed rate, without waiting for answers."""

    abstract = not SCENARIO.is_open
    fixed_count = 1
    concurrency = MAX_IN_FLIGHT

    @task
    def send_all(self) -> None:
        in_flight = 0

        def send_due(due: float) -> None:
            nonlocal in_flight
            send_request(self, due)
            in_flight -= 1

        began = time.monotonic()
        for due in due_seconds():
            if (early := began + due - time.monotonic()) > 0:
                gevent.sleep(early)
            if in_flight < MAX_IN_FLIGHT:
                in_flight += 1
                gevent.spawn(send_due, began + due)
            else:
                responses.unsent += 1
        while in_flight:
            gevent.sleep(TICK_SECONDS / 10)
        raise StopUser


def due_seconds() -> Iterator[float]:
    """Yield the times at which requests are due, evenly spaced within each stage."""
    for stage, rate in enumerate(SCENARIO.rates):
        for number in range(round(rate * SCENARIO.seconds)):
            yield stage * SCENARIO.seconds + number / rate


def tick_until_end(environment: Environment) -> None:
    """Record a tick every second until the scenario ends, then stop Locust."""
    runner = environment.runner
    assert runner is not None  # noqa: S101  the test has started
    end = time.monotonic() + SCENARIO.whole_seconds
    while (now := time.monotonic()) < end:
        used, waited = time.process_time(), cpu_wait_seconds()
        time.sleep(TICK_SECONDS)
        took = time.monotonic() - now
        shares = (time.process_time() - used) / took, (cpu_wait_seconds() - waited) / took
        responses.tick(runner.user_count, took - TICK_SECONDS, *shares)
    # Users who wait for an answer get it first: --stop-timeout.
    runner.quit()


def start_run(environment: Environment) -> None:
    """Set the zero of the run's time, and start the ticks."""
    responses.zero = time.monotonic()
    # Locust patches threads and sleep: this thread is a greenlet.
    threading.Thread(target=tick_until_end, args=(environment,), daemon=True).start()


def register_listeners(environment: Environment, **_others: object) -> None:
    """Start the ticks with the test, and write the records when Locust quits."""
    # Locust has no types for adding listeners to its events.
    hooks: Any = environment.events
    hooks.test_start.add_listener(lambda **_: start_run(environment))
    hooks.quitting.add_listener(lambda **_: responses.write(Path(PLAN.folder)))


init: Any = events.init
init.add_listener(register_listeners)
