"""The load generator: Locust in a process of its own, and the measurements it writes."""

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

from benchmark.processes import pin_to_cores, run_to_end

from .run_plan import FileNames, Plan

# At the end of a run, users who wait for an answer get it, or time out after a minute.
STOP_SECONDS = 70

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LoadResult:
    """The measurements of a run: one array element per request, and one row per second."""

    began_seconds: Floats
    milliseconds: Floats
    status: NDArray[np.int64]
    source: NDArray[np.str_]
    # Of the generator, per second: time, users, lag in seconds, CPU used and CPU waited for, both
    # as shares of a core.
    ticks: Floats
    failures: dict[str, int]
    unsent: int
    descriptors: int

    def __len__(self) -> int:
        return len(self.milliseconds)

    def between(self, began: float, ended: float) -> LoadResult:
        """Return the requests and the ticks between two times in seconds."""
        is_sent_then = (self.began_seconds >= began) & (self.began_seconds < ended)
        is_tick_then = (self.ticks[:, 0] > began) & (self.ticks[:, 0] <= ended)
        return dataclasses.replace(
            self,
            began_seconds=self.began_seconds[is_sent_then],
            milliseconds=self.milliseconds[is_sent_then],
            status=self.status[is_sent_then],
            source=self.source[is_sent_then],
            ticks=self.ticks[is_tick_then],
        )

    @property
    def good(self) -> NDArray[np.bool_]:
        """Whether each request was answered with status 200."""
        return np.equal(self.status, 200)


def run_load(plan: Plan, host: str, headers: dict[str, str], cores: frozenset[int]) -> LoadResult:
    """Run a plan against a host with Locust on some cores, and return its measurements."""
    folder = Path(plan.folder)
    file = folder / FileNames.plan
    file.write_bytes(msgspec.json.encode(plan))
    users = plan.scenario.users or 1
    command = [sys.executable, "-m", "locust", "-f", "benchmark/load/locustfile.py", "--headless"]
    command += ["--only-summary", "--loglevel=ERROR", f"--host={host}", "--exit-code-on-error=0"]
    command += [f"-u{users}", f"-r{plan.scenario.spawn_rate or 1:g}"]
    command += [f"--stop-timeout={STOP_SECONDS}"]
    environment = {**os.environ, "PLAN": str(file), "HEADERS": json.dumps(headers)}
    run_to_end("the load generator", [*pin_to_cores(cores), *command], environment)
    return read_load_result(folder)


def read_load_result(folder: Path) -> LoadResult:
    """Read the files that the load generator wrote."""
    with gzip.open(folder / FileNames.requests, "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    counts: dict[str, Any] = json.loads((folder / FileNames.counts).read_text("utf-8"))
    ticks = np.loadtxt(folder / FileNames.seconds, delimiter=",", skiprows=1, ndmin=2)
    began, milliseconds, status, source = zip(*rows, strict=True) if rows else ((), (), (), ())
    return LoadResult(
        np.array(began, float),
        np.array(milliseconds, float),
        np.array(status, int),
        np.array(source, str),
        ticks.reshape(-1, 5),
        **counts,
    )
