"""The headline: the table and the figure that the README shows of where this project stands.

Usage: python -m benchmark.comparison.readme_table FOLDER

Writes the table of FOLDER's standing.json into the README, between its marks, and draws the figure
beside it.
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
OURS, NEVER = "Veilleuse", "never seen"


class Row(msgspec.Struct, frozen=True):
    """What a server holds: requests a second, times in ms, failures, memory in MiB."""

    name: str
    asked: str
    rate: float
    p50: float
    p95: float
    p99: float
    failures: float
    mebibytes: float


class Standing(msgspec.Struct, frozen=True):
    """All sides of one comparison, and reads of the store a second."""

    about: dict[str, str]
    rows: list[Row]
    store_rate: float

    @property
    def compared(self) -> list[Row]:
        """Ours and the peers on the same question, the best first."""
        same = [row for row in self.rows if row.asked == NEVER]
        return sorted(same, key=lambda row: -row.rate)


def read_standing(folder: Path) -> Standing:
    """Read a comparison."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Standing)


def table_of(found: Standing) -> str:
    """Return a comparison as a table of Markdown, with what it was measured by."""
    best = max(row.rate for row in found.compared if row.name != OURS)
    lines = [
        "| | inputs | requests/s | of the best peer | p50 | p95 | failed | memory |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.name} | {row.asked} | {row.rate:,.0f} | {row.rate / best:.1f} × | {row.p50:.1f} ms"
        f" | {row.p95:.1f} ms | {row.failures:.0f} | {row.mebibytes:.0f} MiB |"
        for row in found.rows
    ]
    about = found.about
    return "\n".join(lines) + (
        f"\n\nMeasured on {about['date']} on {about['cpu']}, a core for the server and another for"
        f" the load: {about['load']}; {about['data'].split(', sha')[0]}; accuracy:"
        f" {about['accuracy']}."
        f" The store by itself finds {found.store_rate:,.0f} predictions a second"
        " (`python -m db bench`)."
    )


def draw(found: Standing) -> Chart:
    """Return the figure: requests a second of ours and of each peer."""
    return Chart(
        "standing",
        "Inputs never seen: requests a second on one core",
        "More is better.",
        lambda on: _bars(found.compared, on),
    )


def _bars(rows: list[Row], on: Axes) -> None:
    places = range(len(rows))
    colours = [FIRST if row.name == OURS else FAINT for row in rows]
    on.barh(places, [row.rate for row in rows], color=colours, height=0.62)
    on.set_yticks(places, [row.name for row in rows])
    on.invert_yaxis()
    for place, row in zip(places, rows, strict=True):
        words = f"{row.rate:,.0f}/s, {row.mebibytes:.0f} MiB"
        on.annotate(words, (row.rate, place), (6, 0), textcoords="offset points", va="center")
    on.set_xlim(0, 1.3 * max(row.rate for row in rows))
    on.grid(visible=False)
    on.set_xlabel("requests a second for inputs never seen, on one core; and memory")


def into(text: str, table: str) -> str:
    """Return a README with a table between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Write the README's table, and draw its figure."""
    folder = Path(sys.argv[1])
    found = read_standing(folder)
    README.write_text(into(README.read_text("utf-8"), table_of(found)), "utf-8")
    draw(found).save(folder)


if __name__ == "__main__":
    main()
