"""Charts drawn by matplotlib: as PNG files, and as SVG that follows the colours of its page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 6.8, 3.2, 150
COLOURS = Path(__file__).parent / "colours.css"
# Each is replaced by a CSS variable, for which colours.css has a light and a dark value.
INK, FAINT, FIRST, SECOND, THIRD, BAD = (
    "#1c1d21", "#c9cbd3", "#2563ad", "#c2700a", "#2f8a57", "#c0342c",
)  # fmt: skip
# As on the pages of the product.
TEACHER, STUDENT = "#8f3f06", "#386690"
VARIABLES = {
    INK: "ink", FAINT: "faint", FIRST: "first", SECOND: "second", THIRD: "third", BAD: "bad",
    TEACHER: "teacher", STUDENT: "student",
}  # fmt: skip
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "veilleuse",
    "font.size": 10,
    "font.family": ["DejaVu Sans"],
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
Draw = Callable[[Axes], None]


@dataclass(frozen=True)
class Chart:
    """A figure with its title and a note on how to read it."""

    name: str
    title: str
    note: str
    draw: Draw

    def save(self, folder: Path) -> None:
        """Write NAME.png, and NAME.svg, which includes its light and dark colours."""
        colours = f"{COLOURS.read_text('utf-8')}text {{ fill: var(--ink); }}"
        element = self.write(folder).replace(">", f"><style>{colours}</style>", 1)
        (folder / f"{self.name}.svg").write_text(element, "utf-8")

    def write(self, folder: Path) -> str:
        """Write NAME.png on a white background, and return the figure as an SVG element."""
        text = io.StringIO()
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout="constrained")
            self.draw(figure.add_subplot())
            figure.savefig(folder / f"{self.name}.png", dpi=DOTS_PER_INCH, facecolor="white")
            figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        return _element(text.getvalue(), self.name)


def _element(svg: str, name: str) -> str:
    """Return the SVG element of a file, with CSS variables for its colours."""
    element = svg[svg.index("<svg") :]
    for colour, variable in VARIABLES.items():
        element = element.replace(colour, f"var(--{variable})")
    # Ids must be unique in the page, which has several figures; CSS sets the width.
    element = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", element)
    return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'role="img"', element, count=1)


def show_plain_numbers(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: 20, not 2 × 10¹."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
