"""Tests of the comparison in the README: the table and the chart that `make headline` writes."""

from __future__ import annotations

from pathlib import Path

from benchmark.comparison.readme_table import (
    BEGIN,
    END,
    UNSEEN,
    comparison_chart,
    insert_table,
    markdown_table,
    read_comparison,
)
from tests.conftest import ROOT

FOLDER = ROOT / "docs/standing"


def test_the_readme_shows_what_was_measured() -> None:
    """Its table is the one that the stored comparison produces."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert insert_table(readme, markdown_table(read_comparison(FOLDER))) == readme
    assert f"{BEGIN}| | inputs |" in readme
    assert END in readme


def test_the_chart_shows_what_was_measured(tmp_path: Path) -> None:
    """Drawing the stored comparison again produces the same file."""
    comparison_chart(read_comparison(FOLDER)).save(tmp_path)
    chart = (tmp_path / "standing.svg").read_text("utf-8")
    assert chart == (FOLDER / "standing.svg").read_text("utf-8")
    assert "](docs/standing/standing.svg)" in (ROOT / "README.md").read_text("utf-8")


def test_every_server_was_measured_with_unseen_inputs() -> None:
    """The comparison is only fair if all servers get the same kind of inputs."""
    comparison = read_comparison(FOLDER)
    assert {row.name for row in comparison.rows if row.asked == UNSEEN} == {
        "Veilleuse",
        "Bottle + waitress",
        "Bottle + wsgiref",
        "Flask + gunicorn",
        "FastAPI + uvicorn",
    }
