"""Tests of the measurements of growth: their made-up rows, and the table and charts they make."""

from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from benchmark.comparison import growth
from benchmark.comparison.growth import (
    BEGIN,
    END,
    GrowthPoint,
    GrowthResult,
    growth_charts,
    markdown_table,
    read_growth,
)
from benchmark.comparison.growth_cases import (
    SENT_ROWS,
    SPEC,
    WORDS,
    MadeUpTable,
    interaction,
    number_table,
    text_table,
    weighted_sum,
)
from benchmark.report.marked_section import insert_section
from db.spec.toml_file import MAX_CHARACTERS, read_spec
from tests.conftest import ROOT

FOLDER = ROOT / "docs/standing"
TABLES = [text_table("texts", 3, 8, 30), number_table("numbers", 4, 30, weighted_sum, 1.0)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_row_that_is_sent_was_learned(table: MadeUpTable) -> None:
    """The inputs of the requests are unseen from the first one on."""
    learned = [{key: row[key] for key in row if key != table.target} for row in table.rows]
    assert len(learned) == 30
    assert len(table.sent) == SENT_ROWS
    assert all(inputs not in learned for inputs in table.sent)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_path_ends_in_the_value_that_makes_it_unseen(table: MadeUpTable) -> None:
    """What is appended to a path makes the last text longer, or gives its number more decimals."""
    for path, inputs in zip(table.paths, table.sent, strict=True):
        last = list(inputs)[-1]
        asked = dict(parse_qsl(urlsplit(f"{path}71").query))
        assert urlsplit(path).path == f"/predict/{table.name}"
        assert asked[last] == f"{inputs[last]}71"
        assert table.vary == "word" or "." in asked[last]


def test_the_file_of_rows_can_be_imported(tmp_path: Path) -> None:
    """It has a heading with the columns and the target."""
    TABLES[1].write(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows == [{name: str(value) for name, value in row.items()} for row in TABLES[1].rows]
    assert set(rows[0]) == {"y", "c000", "c001", "c002", "c003"}


def test_the_longest_text_still_fits_when_it_is_made_unseen() -> None:
    """A text at the limit itself would be refused with one more word."""
    [text] = text_table("longest", 2, max(WORDS), 0).sent[0].values()
    assert 0.95 * MAX_CHARACTERS < len(str(text)) < MAX_CHARACTERS - 100


def test_the_spec_of_each_of_many_datasets_is_valid(tmp_path: Path) -> None:
    """Their fields have different names, so that they tell which dataset is asked."""
    file = tmp_path / "growth7.toml"
    file.write_text(SPEC.format(name="growth7", field="text7"), "utf-8")
    spec = read_spec(file)
    assert (spec.name, list(spec.fields)) == ("growth7", ["text7"])


def test_no_sum_over_columns_explains_the_numbers_that_trees_learn() -> None:
    """Otherwise training would choose a linear model."""
    assert interaction([2.0, 3.0, 1.0]) == 6.0
    assert interaction([2.0, 3.0, -1.0]) == -6.0


def _point(dimension: str, size: int, cpu_microseconds: float) -> GrowthPoint:
    return GrowthPoint(dimension, size, "linear", cpu_microseconds, 2000.4, 7.25, 48.6, 0)


RESULT = GrowthResult(
    {"date": "2026-01-02", "cpu": "a CPU", "load": "32 connections"},
    [_point("labels", 1000, 900), _point("words", 5, 210.3), _point("labels", 2, 200)],
)


def test_the_table_has_a_line_for_each_size_in_its_order() -> None:
    """The number of trees is known only after training, so sizes come in any order."""
    lines = markdown_table(RESULT).splitlines()
    assert lines[2] == "| labels | 2 | 200 µs | 2,000 | 7.2 ms | 0 | 49 MiB | linear |"
    assert [line.split(" | ")[:2] for line in lines[2:5]] == [
        ["| labels", "2"],
        ["| labels", "1,000"],
        ["| words", "5"],
    ]
    assert lines[-1].startswith("Measured on 2026-01-02 on a CPU by `make growth`: 32 connections.")


def test_each_dimension_has_a_line_in_the_charts(tmp_path: Path) -> None:
    """Processes are not drawn: two servers at two sizes are no curve."""
    processes = _point("processes, waitress", 1, 250)
    result = GrowthResult(RESULT.about, [*RESULT.points, processes])
    for chart in growth_charts(result):
        chart.save(tmp_path)
        text = (tmp_path / f"{chart.name}.svg").read_text("utf-8")
        assert ">labels<" in text
        assert ">words<" in text
        assert "waitress" not in text


def test_an_unknown_dimension_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is wrong usage, and nothing is measured."""
    monkeypatch.setattr("sys.argv", ["growth", "labels", "sentences"])
    with pytest.raises(SystemExit):
        growth.main()
    assert "no such dimension: sentences" in capsys.readouterr().err


def test_the_page_and_the_charts_show_what_was_measured(tmp_path: Path) -> None:
    """Table and charts are those that the stored figures produce."""
    result = read_growth(FOLDER)
    page = (ROOT / "docs/scaling.md").read_text("utf-8")
    assert insert_section(page, markdown_table(result), BEGIN, END) == page
    for chart in growth_charts(result):
        chart.save(tmp_path)
        name = f"{chart.name}.svg"
        assert (tmp_path / name).read_text("utf-8") == (FOLDER / name).read_text("utf-8")
        assert f"](standing/{name})" in page
