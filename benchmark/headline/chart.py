"""The chart of a comparison with peers."""

from __future__ import annotations

from matplotlib.axes import Axes

from benchmark.report.chart import FAINT, FIRST, Chart

from .result import ROWS, SENTENCES, HeadlineResult, ServerFigures

# Empty places between the bars of sentences and those of rows.
GAP = 0.7


def comparison_chart(result: HeadlineResult) -> Chart:
    """Return the chart of Veilleuse's and each peer's requests per second."""
    return Chart(
        "standing",
        "Inputs never seen: requests per second on one core",
        "More is better.",
        lambda axes: _bars(result, axes),
    )


def ranking(result: HeadlineResult, inputs: str) -> list[ServerFigures]:
    """Return Veilleuse and its peers for some inputs, the fastest first."""
    rows = [one for one in result.servers if one.inputs == inputs]
    return sorted(rows, key=lambda one: -one.rate)


def _bars(result: HeadlineResult, axes: Axes) -> None:
    sentences, table = ranking(result, SENTENCES), ranking(result, ROWS)
    rows = [*sentences, *table]
    places = [place + GAP * (place >= len(sentences)) for place in range(len(rows))]
    colours = [FIRST if row.is_ours else FAINT for row in rows]
    axes.barh(places, [row.rate for row in rows], color=colours, height=0.7)
    axes.set_yticks(places, [row.name for row in rows], fontsize=8)
    axes.invert_yaxis()
    for place, row in zip(places, rows, strict=True):
        label = f"{row.rate:,.0f}/s, {row.mebibytes:.0f} MiB"
        axes.annotate(
            label, (row.rate, place), (6, 0), textcoords="offset points", va="center", fontsize=8
        )
    most = max(row.rate for row in rows)
    # Beside the slowest of each, whose bars are short.
    for place, title in ((places[len(sentences) - 1], SENTENCES), (places[-1], ROWS)):
        axes.text(1.5 * most, place, title, ha="right", va="center", fontweight="bold", fontsize=8)
    axes.set_xlim(0, 1.5 * most)
    axes.grid(visible=False)
    axes.set_xlabel("requests per second, on one core; and memory")
