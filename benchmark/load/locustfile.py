"""A scenario as Locust plays it; benchmark/load/generator.py starts it and reads what it wrote.

It records each answer's own time, since Locust's percentiles are rounded: of a closed user from
when the question was sent, of an open arrival from when it was to be sent.
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

from benchmark.load.inputs import paths, read_rows
from benchmark.load.plan import ARRIVAL_SECONDS, FILES, SOURCES, Plan

PLAN = msgspec.json.decode(Path(os.environ["PLAN"]).read_bytes(), type=Plan)
HEADERS: dict[str, str] = json.loads(os.environ.get("HEADERS", "{}"))
SCENARIO = PLAN.scenario
GOOD = 200
TICK_SECONDS = 1.0
# An open load may have so many questions in the air at once; more are not sent, which is told.
MOST_AT_ONCE = 4_000


def source_of(content: bytes) -> int:
    """Return which of the sources an answer names, 0 where it names none."""
    for number, name in enumerate(SOURCES):
        if name and b'"source":"%s"' % name.encode() in content[:2000]:
            return number
    return 0


def name_of(error: BaseException) -> str:
    """Return what nothing was answered for: ECONNREFUSED, or the error's class."""
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(number)) if number else type(error).__name__


def waited_seconds() -> float:
    """Return how long this process was ready to run and did not get a core."""
    try:
        return int(Path("/proc/self/schedstat").read_text("ascii").split()[1]) / 1e9
    except OSError:
        return 0.0


class ResponseLog:
    """Every answer of the run, and what the generator itself was at."""

    def __init__(self) -> None:
        self.zero = time.monotonic()
        self.began, self.milliseconds = array("d"), array("d")
        self.statuses, self.sources = array("H"), array("B")
        self.failures: Counter[str] = Counter()
        self.unsent = 0
        self.ticks: list[list[float]] = []

    def record(self, began: float, status: int, content: bytes, failure: str) -> None:
        """Take an answer to what was asked at a monotonic time, or why there is none."""
        self.began.append(began - self.zero)
        self.milliseconds.append(1000 * (time.monotonic() - began))
        self.statuses.append(status)
        self.sources.append(source_of(content) if not failure else 0)
        if failure:
            self.failures[failure] += 1

    def tick(self, users: int, lag_seconds: float, used: float, waited: float) -> None:
        """Take what the last second was: users, lateness of the loop, share of a core."""
        now = time.monotonic() - self.zero
        self.ticks.append([round(one, 4) for one in (now, users, lag_seconds, used, waited)])

    def write(self, folder: Path) -> None:
        """Write all of it as files."""
        with gzip.open(folder / FILES.requests, "wt", newline="", compresslevel=3) as file:
            rows = csv.writer(file)
            rows.writerow(["began_seconds", "milliseconds", "status", "source"])
            names = [SOURCES[one] for one in self.sources]
            rows.writerows(zip(map("{:.4f}".format, self.began), map("{:.3f}".format, self.milliseconds), self.statuses, names, strict=True))  # fmt: skip  # noqa: E501
        with (folder / FILES.generator).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["seconds", "users", "lag_seconds", "cpu", "waiting_for_cpu"])
            rows.writerows(self.ticks)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        told = {"failures": self.failures, "unsent": self.unsent, "descriptors": limit}
        (folder / FILES.told).write_text(json.dumps(told), "utf-8")


# What 5,000 users are made of is no garbage, and looking for it takes a tenth of the time.
gc.disable()
responses = ResponseLog()
to_ask = paths(SCENARIO.dataset, SCENARIO.asks, read_rows(Path(PLAN.rows)), PLAN.mark)


@functools.cache
def address_of(host: str) -> tuple[URL, str]:
    """Return a host as its connections know it, and what stands before every path there."""
    address = URL(host)
    return address, address.path.rstrip("/")


def ask(user: FastHttpUser, began: float) -> None:
    """Ask for the next, and note when and how it was answered.

    By the connections under Locust's client: what that adds to them, request objects, redirects
    and statistics that are not read, is a third of the generator's time.
    """
    address, before = address_of(user.host or "")
    try:
        client = user.client.client.clientpool.get_client(address)
        response = client.get(before + next(to_ask), HEADERS)
        content, status = response.read(), response.status_code
    except Exception as error:  # noqa: BLE001  whatever it was, nobody was answered
        responses.record(began, 0, b"", name_of(error))
    else:
        responses.record(began, status, content, "" if status == GOOD else str(status))


class Person(FastHttpUser):
    """Somebody who asks every few seconds over a connection that is kept."""

    abstract = SCENARIO.is_open

    def wait_time(self) -> float:
        return random.uniform(*SCENARIO.wait_seconds)  # noqa: S311  no secret

    def on_start(self) -> None:
        # Locust lets a second's arrivals come all at once.
        time.sleep(random.uniform(0, ARRIVAL_SECONDS))  # noqa: S311

    @task
    def ask(self) -> None:
        ask(self, time.monotonic())


class Arrivals(FastHttpUser):
    """Requests at a rate: the next is sent whether the last was answered or not."""

    abstract = not SCENARIO.is_open
    fixed_count = 1
    concurrency = MOST_AT_ONCE

    @task
    def arrive(self) -> None:
        in_the_air = 0

        def ask_once(due: float) -> None:
            nonlocal in_the_air
            ask(self, due)
            in_the_air -= 1

        began = time.monotonic()
        for due in due_seconds():
            if (early := began + due - time.monotonic()) > 0:
                gevent.sleep(early)
            if in_the_air < MOST_AT_ONCE:
                in_the_air += 1
                gevent.spawn(ask_once, began + due)
            else:
                responses.unsent += 1
        while in_the_air:
            gevent.sleep(TICK_SECONDS / 10)
        raise StopUser


def due_seconds() -> Iterator[float]:
    """Yield when requests are to be sent, evenly within each stage."""
    for stage, rate in enumerate(SCENARIO.rates):
        for number in range(round(rate * SCENARIO.seconds)):
            yield stage * SCENARIO.seconds + number / rate


def watch(environment: Environment) -> None:
    """See the run through a second at a time, then let everybody have their answer and go."""
    runner = environment.runner
    assert runner is not None  # noqa: S101  the test has started
    end = time.monotonic() + SCENARIO.whole_seconds
    while (now := time.monotonic()) < end:
        used, waited = time.process_time(), waited_seconds()
        time.sleep(TICK_SECONDS)
        took = time.monotonic() - now
        shares = (time.process_time() - used) / took, (waited_seconds() - waited) / took
        responses.tick(runner.user_count, took - TICK_SECONDS, *shares)
    runner.quit()


def begin(environment: Environment) -> None:
    """Begin the run: its time counts from here."""
    responses.zero = time.monotonic()
    # Locust makes threads green, as it does sleep.
    threading.Thread(target=watch, args=(environment,), daemon=True).start()


def prepare(environment: Environment, **_others: object) -> None:
    """Hear what happens."""
    # Locust declares no types for how its events are heard.
    hooks: Any = environment.events
    hooks.test_start.add_listener(lambda **_: begin(environment))
    hooks.quitting.add_listener(lambda **_: responses.write(Path(PLAN.folder)))


init: Any = events.init
init.add_listener(prepare)
