"""Users as Locust plays them: a locustfile, started by benchmark/crowd.py.

It ends by itself once all have been there for STEADY_SECONDS, and writes its figures to the file
FIGURES. They are of each answer's own time: Locust's percentiles are rounded.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, events, task
from locust.env import Environment

from benchmark.figures import percentiles

PATHS = Path(os.environ["PATHS"]).read_text("ascii").splitlines()
STEADY_SECONDS = float(os.environ["STEADY_SECONDS"])
FIGURES = Path(os.environ["FIGURES"])
ARRIVAL_SECONDS = 1.0

numbers = itertools.count(1)


def in_any_order(paths: list[str], variants: Iterator[int]) -> Iterator[str]:
    """Yield paths by chance, every other one as nobody has ever asked for it."""
    while True:
        yield random.choice(paths)  # noqa: S311  no secret
        yield f"{random.choice(paths)}+u{next(variants)}"  # noqa: S311


def kind_of(response: Any, exception: BaseException) -> str:  # noqa: ANN401
    """Return what a failure is counted as: its status, or its class where nothing was answered."""
    status = getattr(response, "status_code", 0)
    return str(status) if status else type(exception).__name__


class Tally:
    """What was answered: failures of the whole run, and the times of its steady part."""

    def __init__(self) -> None:
        self.asked = 0
        self.failures: Counter[str] = Counter()
        self.is_steady = False
        self.milliseconds = array("d")
        self.wall_seconds = self.cpu_seconds = 0.0

    def note(
        self,
        response_time: float,
        response: Any,  # noqa: ANN401
        exception: BaseException | None,
        **_others: object,
    ) -> None:
        self.asked += 1
        if exception is not None:
            self.failures[kind_of(response, exception)] += 1
        if self.is_steady:
            self.milliseconds.append(response_time)

    def figures(self) -> dict[str, Any]:
        """Return percentiles, rate and the generator's share of its core in the steady part."""
        times = list(self.milliseconds)
        return {
            "asked": self.asked,
            "failures": dict(self.failures),
            "rate": len(times) / self.wall_seconds,
            "generator": self.cpu_seconds / self.wall_seconds,
            **percentiles(times),
        }


tally = Tally()


class Asker(FastHttpUser):
    """Somebody who asks every few seconds over a connection that is kept."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        # Locust lets a second's arrivals come all at once.
        time.sleep(random.uniform(0, ARRIVAL_SECONDS))  # noqa: S311
        self.paths = in_any_order(PATHS, numbers)
        # Else all would begin with a known sentence.
        if random.random() < 0.5:  # noqa: S311, PLR2004
            next(self.paths)

    @task
    def ask(self) -> None:
        self.client.get(next(self.paths), name="/predict")


def hold(environment: Environment) -> None:
    """See the steady part through, then let everybody have their answer and go."""
    time.sleep(ARRIVAL_SECONDS)
    tally.is_steady = True
    began, used = time.monotonic(), time.process_time()
    time.sleep(STEADY_SECONDS)
    tally.is_steady = False
    tally.wall_seconds = time.monotonic() - began
    tally.cpu_seconds = time.process_time() - used
    if environment.runner is not None:
        environment.runner.quit()


def begin(environment: Environment) -> None:
    """Begin the steady part: all users have arrived."""
    # Locust makes threads green, as it does sleep.
    threading.Thread(target=hold, args=(environment,), daemon=True).start()


def prepare(environment: Environment, **_others: object) -> None:
    """Hear what happens."""
    # Locust declares no types for how its events are heard.
    hooks: Any = environment.events
    hooks.request.add_listener(tally.note)
    hooks.spawning_complete.add_listener(lambda **_: begin(environment))
    hooks.quitting.add_listener(lambda **_: FIGURES.write_text(json.dumps(tally.figures())))


init: Any = events.init
init.add_listener(prepare)
