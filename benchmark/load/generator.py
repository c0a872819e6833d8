"""The load generator: Locust as a process of its own, and what it saw."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmark.processes import pinned, run_to_end

from .plan import FILES, Plan

# Whoever still waits for an answer gets it, or gives up by itself after a minute.
STOP_SECONDS = 70

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """Every request as an element of each array, and the generator's own seconds."""

    began_seconds: Floats
    milliseconds: Floats
    status: NDArray[np.int64]
    source: NDArray[np.str_]
    # Seconds, users, lateness in seconds, CPU and waiting for it as shares of a core: a row each.
    ticks: Floats
    failures: dict[str, int]
    unsent: int
    descriptors: int

    def __len__(self) -> int:
        return len(self.milliseconds)

    def between(self, began: float, ended: float) -> Seen:
        """Return the requests that were sent between two times, and the generator's seconds."""
        asked = (self.began_seconds >= began) & (self.began_seconds < ended)
        ticked = (self.ticks[:, 0] > began) & (self.ticks[:, 0] <= ended)
        return dataclasses.replace(
            self,
            began_seconds=self.began_seconds[asked],
            milliseconds=self.milliseconds[asked],
            status=self.status[asked],
            source=self.source[asked],
            ticks=self.ticks[ticked],
        )

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which requests were answered with what was asked for."""
        return np.equal(self.status, 200)


def play(plan: Plan, host: str, headers: dict[str, str], cores: frozenset[int]) -> Seen:
    """Let Locust play a scenario against a host; returns what it saw."""
    folder = Path(plan.folder)
    file = folder / FILES.plan
    file.write_bytes(msgspec.json.encode(plan))
    users = plan.scenario.users or 1
    command = [sys.executable, "-m", "locust", "-f", "benchmark/load/locustfile.py", "--headless"]
    command += ["--only-summary", "--loglevel=ERROR", f"--host={host}", "--exit-code-on-error=0"]
    command += [f"-u{users}", f"-r{plan.scenario.spawn_rate or 1:g}"]
    command += [f"--stop-timeout={STOP_SECONDS}"]
    environment = {**os.environ, "PLAN": str(file), "HEADERS": json.dumps(headers)}
    run_to_end("the load generator", [*pinned(cores), *command], environment)
    return read_seen(folder)


def read_seen(folder: Path) -> Seen:
    """Read what a generator wrote."""
    with gzip.open(folder / FILES.requests, "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    told: dict[str, Any] = json.loads((folder / FILES.told).read_text("utf-8"))
    ticks = np.loadtxt(folder / FILES.generator, delimiter=",", skiprows=1, ndmin=2)
    began, milliseconds, status, source = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Seen(
        np.array(began, float),
        np.array(milliseconds, float),
        np.array(status, int),
        np.array(source, str),
        ticks.reshape(-1, 5),
        **told,
    )
