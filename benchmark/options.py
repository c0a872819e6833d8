"""The command line of benchmark/run.sh."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmark.load.scenario import Scenario, ScenarioError, change, find_scenario, read_scenarios

from .processes import ROOT

REPORTS = ROOT / "benchmark/reports"
_SUFFIXES = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Options:
    """The options of a run, checked and with their defaults."""

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
    """Read the command line; raises ScenarioError, and exits on wrong usage."""
    return _options(_parser().parse_args())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmark/run.sh",
        description="Run a load scenario against a web process, and check its objectives.",
        epilog="Exit code 0: PASS, 1: FAIL, 2: wrong usage, 3: INVALID (the run proves nothing).",
    )
    add = parser.add_argument
    add("--scenario", default="steady", help=f"one of: {', '.join(read_scenarios())}")
    add("--host", default="", help="URL of a running server; by default a server is started")
    add(
        "--container",
        action="store_true",
        help="start the web image in a container (build it with: make images)",
    )
    add("--users", type=int, help="number of users, instead of the scenario's")
    add("--spawn-rate", type=float, help="new users per second, instead of the scenario's")
    add("--time", help="duration with the ramp-up, such as 90s, 5m or 1h")
    add(
        "--objective",
        action="append",
        default=[],
        metavar="TEXT",
        help='such as "p95 <= 120 ms", instead of the scenario\'s objectives; repeatable',
    )
    add("--rows", type=Path, help="rows to send, from python -m db export; with --host")
    add("--out", type=Path, help="folder of the report (default: benchmark/reports/NAME-TIME)")
    add(
        "--compare",
        type=Path,
        metavar="DIR",
        help="folder of an earlier report to compare with; reports regressions",
    )
    add("--cookie", help="cookie NAME=VALUE to send with each request")
    add("--key", help="one of READ_KEYS (default: the environment variable BENCHMARK_KEY)")
    add("--server-cores", help="CPU cores of the server, such as 0 or 0,1 (default: the first)")
    add("--generator-cores", help="CPU cores of the load generator (default: the second)")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    if arguments.host and arguments.container:
        raise ScenarioError(
            "--host, --container: one names a running server, the other starts one; give only one"
        )
    scenario = change(
        find_scenario(arguments.scenario, read_scenarios()),
        users=arguments.users,
        spawn_rate=arguments.spawn_rate,
        seconds=_seconds(arguments.time),
        objectives=tuple(arguments.objective),
    )
    stamp = time.strftime("%Y%m%d-%H%M%S")
    first, second = _two_cores()
    return Options(
        name=arguments.scenario,
        scenario=scenario,
        host=_server(arguments.host),
        in_container=arguments.container,
        headers=_headers(arguments),
        rows=arguments.rows,
        out=(arguments.out or REPORTS / f"{arguments.scenario}-{stamp}").resolve(),
        compare=arguments.compare,
        server_cores=_cores("--server-cores", arguments.server_cores) or first,
        generator_cores=_cores("--generator-cores", arguments.generator_cores) or second,
    )


def _server(text: str) -> str:
    """Return the URL of a server, http:// if it is given without a scheme; raises ScenarioError."""
    if not text:
        return ""
    url = urlsplit(text if "://" in text else f"http://{text}")
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ScenarioError(f"--host {text}: not the URL of a server; write http://NAME:PORT")
    return url.geturl().rstrip("/")


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    number, suffix = (text[:-1], text[-1]) if text[-1:] in _SUFFIXES else (text, "s")
    try:
        return float(number) * _SUFFIXES[suffix]
    except ValueError:
        raise ScenarioError(f"--time {text}: not a duration; write 90s, 5m or 1h") from None


def _headers(arguments: argparse.Namespace) -> dict[str, str]:
    key = arguments.key or os.environ.get("BENCHMARK_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return headers | ({"Cookie": arguments.cookie} if arguments.cookie else {})


def _cores(option: str, text: str | None) -> frozenset[int]:
    """Return the cores that an option names, none by default; raises ScenarioError."""
    if not text:
        return frozenset()
    available = os.sched_getaffinity(0)
    try:
        cores = frozenset(int(number) for number in text.split(","))
    except ValueError:
        raise ScenarioError(f"{option} {text}: not CPU cores; write 0 or 0,1") from None
    if not cores <= available:
        names = ", ".join(map(str, sorted(available)))
        raise ScenarioError(f"{option} {text}: no such CPU core; choose from: {names}")
    return cores


def _two_cores() -> tuple[frozenset[int], frozenset[int]]:
    """Return one core for the server and another for the generator; none if there is only one."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) == 1:
        return frozenset(), frozenset()
    return frozenset(available[:1]), frozenset(available[1:2])
