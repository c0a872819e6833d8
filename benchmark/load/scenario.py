"""Scenarios: shapes of load and what must hold under them, as scenarios.toml names them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from benchmark.objective import Objective, read_objective
from benchmark.processes import ROOT

FILE = ROOT / "benchmark/scenarios.toml"

Asks = Literal["known", "unseen", "mixed", "random", "health"]


class ScenarioError(Exception):
    """A scenario cannot be played as it is written."""


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks for what: `users` who wait for answers, or `rates` that wait for nobody."""

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
            raise ValueError("give either users or rates")
        if self.users and self.spawn_rate <= 0:
            raise ValueError("users want a spawn_rate above 0")
        if self.seconds <= 0:
            raise ValueError("seconds must be above 0")
        self.read_objectives()

    @property
    def is_open(self) -> bool:
        """Whether requests come at a rate, whatever becomes of them."""
        return bool(self.rates)

    @property
    def whole_seconds(self) -> float:
        """How long it takes, all stages together."""
        return self.seconds * max(len(self.rates), 1)

    def read_objectives(self) -> list[Objective]:
        """Return what must hold; raises ValueError."""
        return [read_objective(text) for text in self.objectives]

    def planned(self) -> float:
        """Return how many requests its rates come to, 0 for users."""
        return sum(rate * self.seconds for rate in self.rates)


def read_scenarios(file: Path = FILE) -> dict[str, Scenario]:
    """Return all scenarios of a file by name; raises ScenarioError."""
    try:
        return msgspec.toml.decode(file.read_bytes(), type=dict[str, Scenario])
    except (OSError, msgspec.DecodeError) as error:
        raise ScenarioError(f"{file}: {error}") from error


def find_scenario(name: str, scenarios: dict[str, Scenario]) -> Scenario:
    """Return a scenario by its name; raises ScenarioError."""
    if name not in scenarios:
        raise ScenarioError(f"no scenario is called {name}; there are: {', '.join(scenarios)}")
    return scenarios[name]


def change(
    scenario: Scenario,
    *,
    users: int | None = None,
    spawn_rate: float | None = None,
    seconds: float | None = None,
    objectives: tuple[str, ...] = (),
) -> Scenario:
    """Return a scenario with what a person asked for instead; raises ScenarioError."""
    given = {
        "users": users,
        "spawn_rate": spawn_rate,
        "seconds": seconds,
        "objectives": objectives or None,
    }
    if scenario.is_open and (users or spawn_rate):
        raise ScenarioError("this scenario asks at given rates: it has no users")
    try:
        return msgspec.structs.replace(
            scenario, **{name: value for name, value in given.items() if value is not None}
        )
    except ValueError as error:
        raise ScenarioError(str(error)) from error
