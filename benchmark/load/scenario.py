"""Scenarios: the shape of a load and its objectives, as scenarios.toml declares them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from benchmark.objective import Objective, read_objective
from benchmark.processes import ROOT

FILE = ROOT / "benchmark/scenarios.toml"

Asks = Literal["known", "unseen", "mixed", "random", "health"]


class ScenarioError(Exception):
    """A scenario cannot be run as it is written."""


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A closed load of `users`, who wait for their answers, or an open load at fixed `rates`."""

    about: str
    asks: Asks
    objectives: tuple[str, ...]
    seconds: float
    dataset: str = "intents"
    users: int = 0
    spawn_rate: float = 0.0
    wait_seconds: tuple[float, float] = (1.0, 5.0)
    rates: tuple[float, ...] = ()
    server: dict[str, str] = {}

    def __post_init__(self) -> None:
        if bool(self.users) == bool(self.rates):
            raise ValueError("users, rates: give exactly one of them")
        if self.users and self.spawn_rate <= 0:
            raise ValueError("spawn_rate: must be above 0 where there are users")
        if self.seconds <= 0:
            raise ValueError("seconds: must be above 0")
        self.read_objectives()

    @property
    def is_open(self) -> bool:
        """Whether requests are sent at fixed rates, without waiting for answers."""
        return bool(self.rates)

    @property
    def whole_seconds(self) -> float:
        """The duration of the run, all stages together."""
        return self.seconds * max(len(self.rates), 1)

    def read_objectives(self) -> list[Objective]:
        """Return the objectives; raises ValueError."""
        return [read_objective(text) for text in self.objectives]

    def planned(self) -> float:
        """Return how many requests an open load sends in all; 0 for a closed load."""
        return sum(rate * self.seconds for rate in self.rates)


def read_scenarios(file: Path = FILE) -> dict[str, Scenario]:
    """Return the scenarios of a file by name; raises ScenarioError."""
    try:
        return msgspec.toml.decode(file.read_bytes(), type=dict[str, Scenario])
    except (OSError, msgspec.DecodeError) as error:
        raise ScenarioError(f"{file}: {error}") from error


def find_scenario(name: str, scenarios: dict[str, Scenario]) -> Scenario:
    """Return a scenario by its name; raises ScenarioError."""
    if name not in scenarios:
        names = ", ".join(scenarios)
        raise ScenarioError(f"--scenario {name}: no such scenario; choose one of: {names}")
    return scenarios[name]


def change(
    scenario: Scenario,
    *,
    users: int | None = None,
    spawn_rate: float | None = None,
    seconds: float | None = None,
    objectives: tuple[str, ...] = (),
) -> Scenario:
    """Return a scenario with some of its values replaced; raises ScenarioError."""
    values = {
        "users": users,
        "spawn_rate": spawn_rate,
        "seconds": seconds,
        "objectives": objectives or None,
    }
    if scenario.is_open and (users or spawn_rate):
        raise ScenarioError(
            "--users, --spawn-rate: this scenario sends requests at fixed rates and has no users;"
            " leave them out"
        )
    try:
        return msgspec.structs.replace(
            scenario, **{name: value for name, value in values.items() if value is not None}
        )
    except ValueError as error:
        raise ScenarioError(str(error)) from error
