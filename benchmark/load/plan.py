"""The plan of a run, and the files in which its generator tells what came of it."""

from __future__ import annotations

import time

import msgspec

from .scenario import Scenario

# Those who come in one second do so within it, not all at once.
ARRIVAL_SECONDS = 1.0
SOURCES = ("", "teacher", "student")


class FILES:
    """What they are called."""

    plan = "plan.json"
    requests = "requests.csv.gz"
    generator = "generator.csv"
    told = "generator.json"


class Plan(msgspec.Struct, frozen=True):
    """What the generator is to do: a scenario, rows to ask for, where to write."""

    scenario: Scenario
    folder: str
    # What is never asked twice carries it.
    mark: str
    rows: str


def make_mark() -> str:
    """Return a word that no earlier run has used."""
    return f"q{time.time_ns() // 1_000_000:x}x"
