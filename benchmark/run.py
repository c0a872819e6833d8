"""Run one scenario and reach a verdict: benchmark/run.sh.

Exit code 0: PASS, all objectives are met; 1: FAIL, one is not; 2: wrong usage; 3: INVALID, the run
measured the load generator or this machine rather than the server.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec
import numpy as np

from benchmark.container.container_target import start_containers
from benchmark.load.generator import LoadResult, run_load
from benchmark.load.run_plan import Plan, make_mark
from benchmark.load.scenario import ScenarioError
from benchmark.report.changes import Change, changes
from benchmark.report.page import PAGE, write_report
from benchmark.report.plot import RunData
from benchmark.report.result import (
    Result,
    describe_objective,
    describe_regressions,
    read_result,
)
from benchmark.target.environment import describe_environment
from benchmark.target.resource_meter import ResourceMeter
from benchmark.target.scrape import scrape
from benchmark.target.server import Target, connect_to_server, start_web_process

from .options import Options, read_options
from .percentile import format_failures
from .processes import exit_on_sigterm, raise_open_file_limit
from .summary import summarize
from .text_table import format_table
from .verdict import EXIT_CODES, reach_verdict, reasons_invalid

# Web processes publish their figures to each other every second.
SETTLE_SECONDS = 2.0


def main() -> int:
    """Run a scenario, write its report, and print the result; returns an exit code."""
    try:
        options = read_options()
        earlier = None if options.compare is None else read_result(options.compare)
    except (ScenarioError, OSError, msgspec.DecodeError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    raise_open_file_limit()
    exit_on_sigterm()
    options.out.mkdir(parents=True, exist_ok=True)
    with _open_target(options) as target:
        measurements = _measure(options, target)
    # Some parts are complete only once the target has stopped.
    result = _result(options, target, measurements)
    compared = (
        None
        if earlier is None
        else (str(options.compare), changes(earlier.figures, result.figures))
    )
    write_report(options.out, result, measurements.run, compared)
    _print_result(result, options, compared)
    return EXIT_CODES[result.word]


def _open_target(options: Options) -> AbstractContextManager[Target]:
    if options.host:
        return connect_to_server(
            options.host, options.headers, options.rows, options.scenario.dataset
        )
    if options.in_container:
        return start_containers(options.scenario, options.server_cores, options.out)
    return start_web_process(options.scenario, options.server_cores, options.out / "server.log")


@dataclass(frozen=True)
class Measurements:
    """The measurements of a run, with its start time and its environment."""

    began: str
    run: RunData
    figures: dict[str, float]
    environment: dict[str, str]

    @property
    def load(self) -> LoadResult:
        """The measurements of the load generator."""
        return self.run.load


def _measure(options: Options, target: Target) -> Measurements:
    scenario, began = options.scenario, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    environment = describe_environment(target.rows, target.settings)
    plan = Plan(scenario, str(options.out), make_mark(), str(target.rows))
    before = scrape(target.host, options.headers)
    with ResourceMeter(target.read_usage) as meter:
        load = run_load(plan, target.host, options.headers, options.generator_cores)
    time.sleep(SETTLE_SECONDS)
    after = scrape(target.host, options.headers)
    server = np.array(meter.rows, float).reshape(-1, 3)
    figures = summarize(scenario, load, server[:, 2], before, after)
    return Measurements(began, RunData(scenario, load, server), figures, environment)


def _result(options: Options, target: Target, measurements: Measurements) -> Result:
    scenario = options.scenario
    reasons = reasons_invalid(scenario, measurements.load)
    verdict = reach_verdict(scenario.read_objectives(), measurements.figures, reasons, target.parts)
    return Result(
        name=options.name,
        word=verdict.word,
        about=target.about,
        began=measurements.began,
        scenario=scenario,
        objectives=[describe_objective(result) for result in verdict.results],
        reasons_invalid=reasons,
        figures=measurements.figures,
        failures=measurements.load.failures,
        environment=measurements.environment,
        parts=target.parts,
    )


def _print_result(
    result: Result, options: Options, compared: tuple[str, list[Change]] | None
) -> None:
    """Print the verdict first, then the reasons for it."""
    print(f"{result.word}  {result.name}: {result.scenario.about}")
    for reason in result.reasons_invalid:
        print(f"  {reason}")
    rows = [("objective", "measured", "margin", "result")]
    rows += [
        (line["text"], line["measured"], line["margin"], "met" if line["holds"] else "not met")
        for line in result.objectives
    ]
    print(format_table(rows))
    for part in result.parts:
        print(f"  {part.word}  {part.title}\n{part.text}")
    if result.failures:
        print(f"  errors: {format_failures(result.failures)}")
    if compared is not None:
        print(f"  compared with {compared[0]}: {describe_regressions(compared[1])}")
    print(f"  report: {options.out / PAGE}")


if __name__ == "__main__":
    sys.exit(main())
