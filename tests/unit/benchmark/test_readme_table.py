"""The README's headline: a table and a figure, made by `make headline`."""

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
    """The table that a comparison's figures come to, and no other."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert insert_table(readme, markdown_table(read_comparison(FOLDER))) == readme
    assert f"{BEGIN}| | inputs |" in readme
    assert END in readme


def test_the_figure_shows_what_was_measured(tmp_path: Path) -> None:
    """Drawn again from the same figures it is the same file."""
    comparison_chart(read_comparison(FOLDER)).save(tmp_path)
    drawn = (tmp_path / "standing.svg").read_text("utf-8")
    assert drawn == (FOLDER / "standing.svg").read_text("utf-8")
    assert "](docs/standing/standing.svg)" in (ROOT / "README.md").read_text("utf-8")


def test_ours_and_every_peer_were_asked_the_same() -> None:
    """A comparison of other questions would be none."""
    found = read_comparison(FOLDER)
    assert {row.name for row in found.rows if row.asked == UNSEEN} == {
        "Veilleuse",
        "Bottle + waitress",
        "Bottle + wsgiref",
        "Flask + gunicorn",
        "FastAPI + uvicorn",
    }
