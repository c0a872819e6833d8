"""One run of one scenario, and its verdict: benchmark/run.sh.

Exit code 0: PASS, all objectives hold; 1: FAIL, one does not; 3: INVALID, the run tells of the
generator or of this machine; 2: what was asked for cannot be done.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec
import numpy as np

from benchmark.container.container_target import contained
from benchmark.load.generator import Seen, play
from benchmark.load.plan import Plan, make_mark
from benchmark.load.scenario import ScenarioError
from benchmark.report.changes import Change, changes
from benchmark.report.page import PAGE, write_report
from benchmark.report.plot import Run
from benchmark.report.result import Result, describe, read_result, regressions
from benchmark.target.environment import describe_environment
from benchmark.target.resource_meter import ResourceMeter
from benchmark.target.scrape import scrape
from benchmark.target.target import Target, deployed, started

from .options import Options, read_options
from .percentile import kinds_of
from .processes import allow_connections, end_on_sigterm
from .summary import summarize
from .text_table import table
from .verdict import EXIT_CODES, reach_verdict, reasons_invalid

# Web processes tell each other's figures a second later.
SETTLE_SECONDS = 2.0


def main() -> int:
    """Play a scenario, write its report, and say the verdict first."""
    try:
        options = read_options()
        earlier = None if options.compare is None else read_result(options.compare)
    except (ScenarioError, OSError, msgspec.DecodeError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    allow_connections()
    end_on_sigterm()
    options.out.mkdir(parents=True, exist_ok=True)
    with _subject(options) as target:
        played = _play(options, target)
    result = _conclude(options, target, played)
    compared = (
        None
        if earlier is None
        else (str(options.compare), changes(earlier.figures, result.figures))
    )
    write_report(options.out, result, played.run, compared)
    _say(result, options, compared)
    return EXIT_CODES[result.word]


def _subject(options: Options) -> AbstractContextManager[Target]:
    if options.host:
        return deployed(options.host, options.headers, options.rows, options.scenario.dataset)
    if options.in_container:
        return contained(options.scenario, options.server_cores, options.out)
    return started(options.scenario, options.server_cores, options.out / "server.log")


@dataclass(frozen=True)
class Played:
    """What was seen of a run, and where and when it took place."""

    began: str
    run: Run
    figures: dict[str, float]
    describe_environment: dict[str, str]

    @property
    def seen(self) -> Seen:
        """What the generator saw."""
        return self.run.seen


def _play(options: Options, target: Target) -> Played:
    scenario, began = options.scenario, time.strftime("%Y-%m-%d %H:%M:%S %z")
    about = describe_environment(target.rows, target.settings)
    plan = Plan(scenario, str(options.out), make_mark(), str(target.rows))
    before = scrape(target.host, options.headers)
    with ResourceMeter(target.read) as meter:
        seen = play(plan, target.host, options.headers, options.generator_cores)
    time.sleep(SETTLE_SECONDS)
    after = scrape(target.host, options.headers)
    server = np.array(meter.rows, float).reshape(-1, 3)
    figures = summarize(scenario, seen, server[:, 2], before, after)
    return Played(began, Run(scenario, seen, server), figures, about)


def _conclude(options: Options, target: Target, played: Played) -> Result:
    """Return what a run came to, once its subject has ended."""
    scenario = options.scenario
    found = reasons_invalid(scenario, played.seen)
    verdict = reach_verdict(scenario.read_objectives(), played.figures, found, target.parts)
    return Result(
        name=options.name,
        word=verdict.word,
        about=target.about,
        began=played.began,
        scenario=scenario,
        objectives=[describe(line) for line in verdict.lines],
        reasons_invalid=found,
        figures=played.figures,
        failures=played.seen.failures,
        describe_environment=played.describe_environment,
        parts=target.parts,
    )


def _say(result: Result, options: Options, compared: tuple[str, list[Change]] | None) -> None:
    """Print the verdict, then what it rests on."""
    print(f"{result.word}  {result.name}: {result.scenario.about}")
    for doubt in result.reasons_invalid:
        print(f"  {doubt}")
    rows = [("objective", "measured", "margin", "")]
    rows += [
        (one["text"], one["measured"], one["margin"], "" if one["holds"] else "does not hold")
        for one in result.objectives
    ]
    print(table(rows))
    for part in result.parts:
        print(f"  {part.word}  {part.title}\n{part.text}")
    if result.failures:
        print(f"  errors: {kinds_of(result.failures)}")
    if compared is not None:
        print(f"  beside {compared[0]}: {regressions(compared[1])}")
    print(f"  report: {options.out / PAGE}")


if __name__ == "__main__":
    sys.exit(main())
