"""The README's table and chart of the comparison with peers.

Usage: python -m benchmark.comparison.readme_table FOLDER

Writes the table of FOLDER's standing.json between the README's markers, and draws the chart into
FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from matplotlib.axes import Axes

from benchmark.processes import ROOT
from benchmark.report.chart import FAINT, FIRST, Chart

FILE = "standing.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- make headline -->\n", "<!-- headline ends -->"
VEILLEUSE, UNSEEN = "Veilleuse", "never seen"


class ServerFigures(msgspec.Struct, frozen=True):
    """The figures of one server: requests per second, times in ms, failures, memory in MiB."""

    name: str
    asked: str
    rate: float
    p50: float
    p95: float
    p99: float
    failures: float
    mebibytes: float


class ComparisonResult(msgspec.Struct, frozen=True):
    """The figures of all servers of a comparison, and the store's reads per second."""

    about: dict[str, str]
    rows: list[ServerFigures]
    store_rate: float

    @property
    def ranking(self) -> list[ServerFigures]:
        """Veilleuse and its peers on unseen inputs, the fastest first."""
        unseen = [row for row in self.rows if row.asked == UNSEEN]
        return sorted(unseen, key=lambda row: -row.rate)


def read_comparison(folder: Path) -> ComparisonResult:
    """Read the comparison of a folder."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=ComparisonResult)


def markdown_table(result: ComparisonResult) -> str:
    """Return a comparison as a Markdown table, followed by how it was measured."""
    best = max(row.rate for row in result.ranking if row.name != VEILLEUSE)
    lines = [
        "| | inputs | requests/s | of the best peer | p50 | p95 | failed | memory |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.name} | {row.asked} | {row.rate:,.0f} | {row.rate / best:.1f} × | {row.p50:.1f} ms"
        f" | {row.p95:.1f} ms | {row.failures:.0f} | {row.mebibytes:.0f} MiB |"
        for row in result.rows
    ]
    about = result.about
    return "\n".join(lines) + (
        f"\n\nMeasured on {about['date']} on {about['cpu']}, with one core for the server and"
        f" another for the load: {about['load']}; {about['data'].split(', sha')[0]}; accuracy:"
        f" {about['accuracy']}."
        f" The store alone reads {result.store_rate:,.0f} predictions per second"
        " (`python -m db bench`)."
    )


def comparison_chart(result: ComparisonResult) -> Chart:
    """Return the chart of Veilleuse's and each peer's requests per second."""
    return Chart(
        "standing",
        "Inputs never seen: requests per second on one core",
        "More is better.",
        lambda axes: _bars(result.ranking, axes),
    )


def _bars(rows: list[ServerFigures], axes: Axes) -> None:
    places = range(len(rows))
    colours = [FIRST if row.name == VEILLEUSE else FAINT for row in rows]
    axes.barh(places, [row.rate for row in rows], color=colours, height=0.62)
    axes.set_yticks(places, [row.name for row in rows])
    axes.invert_yaxis()
    for place, row in zip(places, rows, strict=True):
        label = f"{row.rate:,.0f}/s, {row.mebibytes:.0f} MiB"
        axes.annotate(label, (row.rate, place), (6, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.3 * max(row.rate for row in rows))
    axes.grid(visible=False)
    axes.set_xlabel("requests per second for inputs never seen, on one core; and memory")


def insert_table(text: str, table: str) -> str:
    """Return a README with a table between its markers."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the README's table and its chart."""
    folder = Path(sys.argv[1])
    result = read_comparison(folder)
    text = insert_table(README.read_text("utf-8"), markdown_table(result))
    README.write_text(text, "utf-8")
    comparison_chart(result).save(folder)


if __name__ == "__main__":
    main()
