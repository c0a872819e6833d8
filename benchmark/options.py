"""The options of benchmark/run.sh, and what they come to."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmark.load.scenario import Scenario, ScenarioError, change, find_scenario, read_scenarios

from .processes import ROOT

REPORTS = ROOT / "benchmark/reports"
_SUFFIXES = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Options:
    """What a person asked for."""

    name: str
    scenario: Scenario
    host: str
    in_container: bool
    headers: dict[str, str]
    rows: Path | None
    out: Path
    compare: Path | None
    server_cores: frozenset[int]
    generator_cores: frozenset[int]


def read_options() -> Options:
    """Read the command line; raises ScenarioError, and ends where its usage is wrong."""
    return _options(_parser().parse_args())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmark/run.sh",
        description="Play a scenario against a web process and say whether it holds its promises.",
        epilog="Exit code 0: PASS, 1: FAIL, 3: INVALID (the run proves nothing), 2: wrong usage.",
    )
    add = parser.add_argument
    add("--scenario", default="steady", help=f"one of: {', '.join(read_scenarios())}")
    add(
        "--host", default="", help="a server that runs already; without it one is started and ended"
    )
    add("--container", action="store_true", help="start the web image's container: make images")
    add("--users", type=int, help="so many, instead of the scenario's")
    add("--spawn-rate", type=float, help="so many more users a second")
    add("--time", help="how long, with the rise: 90s, 5m or 1h")
    add(
        "--objective",
        action="append",
        default=[],
        metavar="TEXT",
        help='instead of the scenario\'s, such as "p95 <= 120 ms"; may be given again',
    )
    add("--rows", type=Path, help="rows to ask for, from python -m db export; with --host")
    add("--out", type=Path, help="the report's folder; benchmark/reports/NAME-TIME unless given")
    add(
        "--compare",
        type=Path,
        metavar="DIR",
        help="an earlier report's folder, to name what became worse",
    )
    add("--cookie", help="NAME=VALUE, sent with each request")
    add("--key", help="one of READ_KEYS; or in the environment as BENCHMARK_KEY")
    add("--server-cores", help="such as 0 or 0,1; the first unless given")
    add("--generator-cores", help="the second unless given")
    return parser


def _options(given: argparse.Namespace) -> Options:
    if given.host and given.container:
        raise ScenarioError("--host names a server, --container starts one: give either")
    scenario = change(
        find_scenario(given.scenario, read_scenarios()),
        users=given.users,
        spawn_rate=given.spawn_rate,
        seconds=_seconds(given.time),
        objectives=tuple(given.objective),
    )
    stamp = time.strftime("%Y%m%d-%H%M%S")
    first, second = _two_cores()
    return Options(
        name=given.scenario,
        scenario=scenario,
        host=given.host.rstrip("/"),
        in_container=given.container,
        headers=_headers(given),
        rows=given.rows,
        out=(given.out or REPORTS / f"{given.scenario}-{stamp}").resolve(),
        compare=given.compare,
        server_cores=_cores(given.server_cores) or first,
        generator_cores=_cores(given.generator_cores) or second,
    )


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    number, suffix = (text[:-1], text[-1]) if text[-1:] in _SUFFIXES else (text, "s")
    try:
        return float(number) * _SUFFIXES[suffix]
    except ValueError:
        raise ScenarioError(f"--time {text}: write it like 90s, 5m or 1h") from None


def _headers(given: argparse.Namespace) -> dict[str, str]:
    key = given.key or os.environ.get("BENCHMARK_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return headers | ({"Cookie": given.cookie} if given.cookie else {})


def _cores(text: str | None) -> frozenset[int]:
    if not text:
        return frozenset()
    there = os.sched_getaffinity(0)
    try:
        wanted = frozenset(int(one) for one in text.split(","))
    except ValueError:
        raise ScenarioError(f'"{text}" are no cores: write them like 0 or 0,1') from None
    if not wanted <= there:
        raise ScenarioError(f"there are only the cores {', '.join(map(str, sorted(there)))}")
    return wanted


def _two_cores() -> tuple[frozenset[int], frozenset[int]]:
    """Return a core for the server and another for the generator; none where there is but one."""
    there = sorted(os.sched_getaffinity(0))
    if len(there) == 1:
        return frozenset(), frozenset()
    return frozenset(there[:1]), frozenset(there[1:2])
