"""The plan that the load generator follows, and the files that it reads and writes."""

from __future__ import annotations

import time

import msgspec

from .scenario import Scenario

# Locust starts the new users of a second all at once; each waits up to this long at its start.
ARRIVAL_SECONDS = 1.0
SOURCES = ("", "teacher", "student")


class FileNames:
    """The names of the load generator's files in a run's folder."""

    plan = "plan.json"
    requests = "requests.csv.gz"
    seconds = "generator.csv"
    counts = "generator.json"


class Plan(msgspec.Struct, frozen=True):
    """The load generator's input: a scenario, the folder to write to, the rows to send."""

    scenario: Scenario
    folder: str
    # Part of every unseen input, so that no input of an earlier run repeats.
    mark: str
    rows: str


def make_mark() -> str:
    """Return a word that no earlier run has used."""
    return f"q{time.time_ns() // 1_000_000:x}x"
