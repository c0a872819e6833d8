"""The parts of README and docs that a comparison with peers writes.

Usage: python -m benchmark.headline.documents FOLDER

Writes the tables of FOLDER's standing.json between the markers of both, and draws the chart into
FOLDER.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmark.processes import ROOT
from benchmark.report.marked_section import insert_section

from .chart import comparison_chart
from .result import HeadlineResult, read_result
from .tables import docs_section, readme_section

BEGIN, END = "<!-- make headline -->\n", "<!-- headline ends -->"
DOCUMENTS: dict[Path, Callable[[HeadlineResult], str]] = {
    ROOT / "README.md": readme_section,
    ROOT / "docs/benchmarks.md": docs_section,
}


def main() -> None:
    """Write the tables and the chart."""
    folder = Path(sys.argv[1])
    result = read_result(folder)
    for file, section in DOCUMENTS.items():
        text = insert_section(file.read_text("utf-8"), section(result), BEGIN, END)
        file.write_text(text, "utf-8")
    comparison_chart(result).save(folder)


if __name__ == "__main__":
    main()
