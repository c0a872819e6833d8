"""The page of a run, a single file without external resources, and its charts and tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from benchmark.percentile import format_failures

from .changes import Change
from .chart import COLOURS
from .plot import RunData, charts, per_second, percentile_per_second
from .result import RESULT, Result, describe_regressions, format_figure

HERE = Path(__file__).parent
STYLES = (COLOURS, HERE / "page.css")
PAGE, SECONDS = "report.html", "seconds.csv"

CLOSED_NOTE = """\
A closed load: a fixed number of users, each of whom waits for the answer before the next request.
A server that slows down gets fewer requests, so its times look better than independent visitors
would find them. An open load (scenarios with rates) does not wait for the server."""
OPEN_NOTE = """\
An open load: requests are sent at a fixed rate, and the time of each counts from when it was due.
A server that slows down gets no relief, and the requests that arrive meanwhile wait as well. A
closed load (scenarios with users) would send fewer requests then, and hide the delay."""


def write_report(
    folder: Path, result: Result, run: RunData, compared: tuple[str, list[Change]] | None
) -> None:
    """Write all files of a report into a folder."""
    (folder / RESULT).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    _write_seconds(folder, run)
    pictures = [
        {"title": chart.title, "note": chart.note, "svg": Markup(chart.write(folder))}  # noqa: S704  drawn above
        for chart in charts(run)
    ]
    (folder / PAGE).write_text(_page(result, pictures, compared), "utf-8")


def _write_seconds(folder: Path, run: RunData) -> None:
    """Write one row per second of the load, and one per reading of the server's resources."""
    load = run.load
    columns = {
        "requests": per_second(run, load.status >= 0),
        "errors": per_second(run, ~load.good),
        "teacher": per_second(run, load.source == "teacher"),
        "student": per_second(run, load.source == "student"),
        **{f"p{share}_ms": percentile_per_second(run, share) for share in (50, 95, 99)},
    }
    with (folder / SECONDS).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["second", *columns])
        for second, row in enumerate(zip(*columns.values(), strict=True)):
            rows.writerow([second, *(f"{value:g}" for value in row)])
    with (folder / "server.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["seconds", "cpu", "mebibytes"])
        rows.writerows([f"{value:.4g}" for value in row] for row in run.server)


def _page(
    result: Result, pictures: list[dict[str, str]], compared: tuple[str, list[Change]] | None
) -> str:
    loader = jinja2.FileSystemLoader(HERE)
    page = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return page.get_template("page.html.j2").render(
        css=Markup("".join(file.read_text("utf-8") for file in STYLES)),  # noqa: S704  own files
        result=result,
        seconds=f"{result.scenario.whole_seconds:g} s",
        figures=[
            {"name": name, "value": format_figure(name, value)}
            for name, value in result.figures.items()
        ],
        load_note=OPEN_NOTE if result.scenario.is_open else CLOSED_NOTE,
        failures=format_failures(result.failures),
        charts=pictures,
        comparison=_comparison(compared),
    )


def _comparison(compared: tuple[str, list[Change]] | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    earlier, all_changes = compared
    rows = [
        {
            "name": change.name,
            "then": format_figure(change.name, change.then),
            "now": format_figure(change.name, change.now),
            "change": f"{change.ratio:.2f} ×",
            "is_worse": change.is_worse,
        }
        for change in all_changes
    ]
    return {"earlier": earlier, "regressions": describe_regressions(all_changes), "rows": rows}
