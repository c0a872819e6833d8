"""Measure how the web process grows with what it serves: `make growth`.

Usage: python -m benchmark.comparison.growth [--share S] [--stores DIR] [--out DIR] [--page FILE]
    [DIMENSION...]
Dimensions, all by default: processes datasets labels words columns trees

All inputs that are sent were never seen. The CPU time per request is that of all processes of the
server; it says more than the rate, for which server and load compete where they share a core.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from matplotlib.axes import Axes

from benchmark.options import REPORTS
from benchmark.percentile import medians
from benchmark.processes import exit_on_sigterm, raise_open_file_limit
from benchmark.report.chart import (
    BAD,
    FIRST,
    INK,
    SECOND,
    STUDENT,
    TEACHER,
    THIRD,
    Chart,
    show_plain_numbers,
)
from benchmark.report.marked_section import insert_section
from benchmark.target.environment import describe_environment

from .growth_cases import DIMENSIONS, Case, GrowthStores
from .harness import CONNECTIONS, WorkloadScale, WrkLoad, run_rounds

ROUNDS, ROUND_SECONDS = 3, 2
FILE = "growth.json"
BEGIN, END = "<!-- make growth -->\n", "<!-- growth ends -->"
COLOURS = (FIRST, SECOND, THIRD, BAD, TEACHER, STUDENT, INK)


class GrowthPoint(msgspec.Struct, frozen=True):
    """The figures at one size of a dimension; memory is the PSS of all processes of the server."""

    dimension: str
    size: int
    model: str
    cpu_microseconds: float
    rate: float
    p99: float
    mebibytes: float
    failures: int


class GrowthResult(msgspec.Struct, frozen=True):
    """The figures of all dimensions, and how they were measured."""

    about: dict[str, str]
    points: list[GrowthPoint]

    @property
    def curves(self) -> dict[str, list[GrowthPoint]]:
        """The points of each dimension, by its name, from the smallest size to the largest."""
        names = dict.fromkeys(point.dimension for point in self.points)
        ordered = sorted(self.points, key=lambda point: point.size)
        return {name: [one for one in ordered if one.dimension == name] for name in names}


def read_growth(folder: Path) -> GrowthResult:
    """Read the result of a folder."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=GrowthResult)


def markdown_table(result: GrowthResult) -> str:
    """Return a result as a Markdown table, followed by how it was measured."""
    lines = [
        "| what grows | | CPU per request | requests/s | p99 | failed | memory | model |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {name} | {point.size:,} | {point.cpu_microseconds:,.0f} µs | {point.rate:,.0f}"
        f" | {point.p99:,.1f} ms | {point.failures} | {point.mebibytes:.0f} MiB | {point.model} |"
        for name, curve in result.curves.items()
        for point in curve
    ]
    about = result.about
    return "\n".join(lines) + (
        f"\n\nMeasured on {about['date']} on {about['cpu']} by `make growth`: {about['load']}."
        " The server had one core and the load another, except where processes grow."
    )


def growth_charts(result: GrowthResult) -> list[Chart]:
    """Return the charts of CPU time and of memory by size."""
    return [
        Chart(
            "growth",
            "Inputs never seen: CPU time per request",
            "Both axes are logarithmic.",
            lambda axes: _cpu(result, axes),
        ),
        Chart(
            "growth-memory",
            "Memory of the web process",
            "The axis of sizes is logarithmic.",
            lambda axes: _memory(result, axes),
        ),
    ]


def _cpu(result: GrowthResult, axes: Axes) -> None:
    _curves(result, axes, lambda point: point.cpu_microseconds)
    axes.set_yscale("log")
    show_plain_numbers(axes.yaxis)
    axes.set_ylabel("µs of CPU per request")


def _memory(result: GrowthResult, axes: Axes) -> None:
    _curves(result, axes, lambda point: point.mebibytes)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("MiB")


def _curves(result: GrowthResult, axes: Axes, figure: Callable[[GrowthPoint], float]) -> None:
    """Draw a line for each dimension but processes, which the table compares."""
    curves = {name: one for name, one in result.curves.items() if "processes" not in name}
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        sizes = [point.size for point in curve]
        axes.plot(sizes, list(map(figure, curve)), "o-", color=colour, label=name, markersize=4)
    axes.set_xscale("log")
    show_plain_numbers(axes.xaxis)
    axes.set_xlabel("number of datasets, labels, words, columns or trees")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)


def measure_growth(cases: list[Case], scale: WorkloadScale) -> GrowthResult:
    """Load the servers of all cases in turns."""
    load = WrkLoad(scale.apply(ROUND_SECONDS))
    figures = run_rounds([case.contender for case in cases], load, ROUNDS)
    about = describe_environment(cases[0].contender.paths, {}) | {
        "date": time.strftime("%Y-%m-%d"),
        "load": f"{CONNECTIONS} connections for {load.seconds} s,"
        f" medians of {ROUNDS} rounds in turns",
    }
    points = [
        msgspec.convert(
            {
                "dimension": case.dimension,
                "size": case.size,
                "model": case.model,
                **medians(figures[case.contender.server.name]),
                "failures": sum(one["failures"] for one in figures[case.contender.server.name]),
            },
            GrowthPoint,
        )
        for case in cases
    ]
    return GrowthResult(about, points)


def write_growth(result: GrowthResult, folder: Path) -> None:
    """Write a result and its charts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    for chart in growth_charts(result):
        chart.save(folder)


def main() -> None:
    """Measure, print the table, and write it, its figures and the charts."""
    arguments = _read_arguments()
    raise_open_file_limit()
    exit_on_sigterm()
    scale = WorkloadScale(arguments.share)
    with tempfile.TemporaryDirectory() as name:
        stores = GrowthStores((arguments.stores or Path(name)).resolve(), scale)
        chosen = arguments.dimensions or DIMENSIONS
        cases = [case for dimension in chosen for case in DIMENSIONS[dimension](stores)]
        result = measure_growth(cases, scale)
    write_growth(result, arguments.out)
    if arguments.page:
        text = arguments.page.read_text("utf-8")
        text = insert_section(text, markdown_table(result), BEGIN, END)
        arguments.page.write_text(text, "utf-8")
    print(markdown_table(result))


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.comparison.growth")
    parser.add_argument("dimensions", nargs="*", metavar="DIMENSION", help=", ".join(DIMENSIONS))
    parser.add_argument("--share", type=float, default=1.0, help="share of the seconds")
    parser.add_argument("--stores", type=Path, help="folder that keeps the stores for another run")
    parser.add_argument("--out", type=Path, default=REPORTS / "growth", help="folder to write to")
    parser.add_argument("--page", type=Path, help="page that gets the table between its markers")
    arguments = parser.parse_args()
    if unknown := set(arguments.dimensions).difference(DIMENSIONS):
        parser.error(f"no such dimension: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()
