"""The page of a run, which needs nothing beside it, its pictures and tables as files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from benchmark.percentile import kinds_of

from .changes import Change
from .chart import COLOURS
from .plot import Run, charts, per_second, percentile_per_second
from .result import RESULT, Result, regressions, told

HERE = Path(__file__).parent
STYLES = (COLOURS, HERE / "page.css")
PAGE, SECONDS = "report.html", "seconds.csv"

CLOSED = """\
A closed load: so many users, each of whom waits for an answer before the next question. A server
that becomes slow is asked less, so that its times look better than those who come and go would find
them; an open load (scenarios with rates) does not wait for it."""
OPEN = """\
An open load: requests come at a given rate, and each one's time counts from when it was due. A
server that becomes slow gets no rest, and whoever comes meanwhile waits as well; a closed load
(scenarios with users) would ask less then, and hide it."""


def write_report(
    folder: Path, result: Result, run: Run, compared: tuple[str, list[Change]] | None
) -> None:
    """Write all files of a report into a folder."""
    (folder / RESULT).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    _write_seconds(folder, run)
    pictures = [
        {"title": one.title, "note": one.note, "svg": Markup(one.write(folder))}  # noqa: S704  drawn by us
        for one in charts(run)
    ]
    (folder / PAGE).write_text(_page(result, pictures, compared), "utf-8")


def _write_seconds(folder: Path, run: Run) -> None:
    """Write a row a second."""
    seen = run.seen
    columns = {
        "requests": per_second(run, seen.status >= 0),
        "errors": per_second(run, ~seen.good),
        "teacher": per_second(run, seen.source == "teacher"),
        "student": per_second(run, seen.source == "student"),
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
        css=Markup("".join(one.read_text("utf-8") for one in STYLES)),  # noqa: S704  ours
        result=result,
        seconds=f"{result.scenario.whole_seconds:g} s",
        figures=[
            {"name": name, "value": told(name, value)} for name, value in result.figures.items()
        ],
        load_words=OPEN if result.scenario.is_open else CLOSED,
        failures=kinds_of(result.failures),
        charts=pictures,
        changes=_beside(compared),
    )


def _beside(compared: tuple[str, list[Change]] | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    earlier, all_changes = compared
    rows = [
        {
            "name": one.name,
            "then": told(one.name, one.then),
            "now": told(one.name, one.now),
            "change": f"{one.ratio:.2f} ×",
            "is_worse": one.is_worse,
        }
        for one in all_changes
    ]
    return {"earlier": earlier, "words": regressions(all_changes), "rows": rows}
