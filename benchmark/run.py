"""One run of one scenario, and its verdict: benchmark/run.sh.

Exit code 0: PASS, all objectives hold; 1: FAIL, one does not; 3: INVALID, the run tells of the
generator or of this machine; 2: what was asked for cannot be done.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from .command import ROOT, allow_connections
from .comparison import Change, changes
from .figures import kinds_of
from .generator import play
from .meter import Meter
from .plan import Plan, make_mark
from .plot import Run
from .report import PAGE, Result, describe, read_result, regressions, write_report
from .scenario import Scenario, ScenarioError, change, find_scenario, read_scenarios
from .scrape import scrape
from .subject import Subject, deployed, started
from .summary import summarize
from .surroundings import surroundings
from .verdict import EXIT_CODES, doubts, judge

REPORTS = ROOT / "benchmark/reports"
# Web processes tell each other's figures a second later.
SETTLE_SECONDS = 2.0
_SUFFIXES = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Options:
    """What a person asked for."""

    name: str
    scenario: Scenario
    host: str
    headers: dict[str, str]
    rows: Path | None
    out: Path
    compare: Path | None
    server_cores: frozenset[int]
    generator_cores: frozenset[int]


def main() -> int:
    """Play a scenario, write its report, and say the verdict first."""
    try:
        options = _options(_parser().parse_args())
        earlier = None if options.compare is None else read_result(options.compare)
    except (ScenarioError, OSError, msgspec.DecodeError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    allow_connections()
    options.out.mkdir(parents=True, exist_ok=True)
    with _subject(options) as subject:
        result, run = _play(options, subject)
    compared = (
        None
        if earlier is None
        else (str(options.compare), changes(earlier.figures, result.figures))
    )
    write_report(options.out, result, run, compared)
    _say(result, options.out, compared)
    return EXIT_CODES[result.word]


def _subject(options: Options) -> AbstractContextManager[Subject]:
    if options.host:
        return deployed(options.host, options.headers, options.rows, options.scenario.dataset)
    return started(options.scenario, options.server_cores, options.out / "server.log")


def _play(options: Options, subject: Subject) -> tuple[Result, Run]:
    scenario, began = options.scenario, time.strftime("%Y-%m-%d %H:%M:%S %z")
    about = surroundings(subject.rows, subject.settings)
    plan = Plan(scenario, str(options.out), make_mark(), str(subject.rows))
    before = scrape(subject.host, options.headers)
    with Meter(subject.read) as meter:
        seen = play(plan, subject.host, options.headers, options.generator_cores)
    time.sleep(SETTLE_SECONDS)
    after = scrape(subject.host, options.headers)
    server = np.array(meter.rows, float).reshape(-1, 3)
    figures = summarize(scenario, seen, server[:, 2], before, after)
    verdict = judge(scenario.read_objectives(), figures, doubts(scenario, seen))
    result = Result(
        name=options.name,
        word=verdict.word,
        about=subject.about,
        began=began,
        scenario=scenario,
        objectives=[describe(line) for line in verdict.lines],
        doubts=list(verdict.doubts),
        figures=figures,
        failures=seen.failures,
        surroundings=about,
    )
    return result, Run(scenario, seen, server)


def _say(result: Result, out: Path, compared: tuple[str, list[Change]] | None) -> None:
    """Print the verdict, then what it rests on."""
    print(f"{result.word}  {result.name}: {result.scenario.about}")
    for doubt in result.doubts:
        print(f"  {doubt}")
    rows = [("objective", "measured", "margin", "")]
    rows += [
        (one["text"], one["measured"], one["margin"], "" if one["holds"] else "does not hold")
        for one in result.objectives
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print(
            "  "
            + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    if result.failures:
        print(f"  errors: {kinds_of(result.failures)}")
    if compared is not None:
        print(f"  beside {compared[0]}: {regressions(compared[1])}")
    print(f"  report: {out / PAGE}")


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


if __name__ == "__main__":
    sys.exit(main())
