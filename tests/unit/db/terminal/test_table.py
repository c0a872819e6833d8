"""Tests of tables."""

from __future__ import annotations

import io

import pytest

from db.cli.terminal.colour import without_colours
from db.cli.terminal.table import Column, format_table

from .screen import make_screen

COLUMNS = Column("model"), Column("teacher accuracy", is_number=True), Column("reads")
ROWS = [
    ("intents@2", "0.794", "language, text_profile, embedding"),
    ("intents@1", "12,345.678", "no enrichments"),
]


def table(columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines of the table on a terminal of so many columns."""
    lines = format_table(COLUMNS, ROWS, make_screen(monkeypatch, columns))
    return [without_colours(line) for line in lines]


def test_a_piped_table_has_one_line_for_each_row() -> None:
    """However long it is, so that programs such as grep and awk can read it."""
    assert format_table(COLUMNS, ROWS, io.StringIO()) == [
        "model      teacher accuracy  reads",
        "intents@2             0.794  language, text_profile, embedding",
        "intents@1        12,345.678  no enrichments",
    ]


def test_a_table_is_wrapped_to_the_terminal_and_breaks_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The title of a number gives way first, then the text."""
    assert table(48, monkeypatch) == [
        "model         teacher  reads",
        "             accuracy",
        "intents@2       0.794  language, text_profile,",
        "                       embedding",
        "intents@1  12,345.678  no enrichments",
    ]
    assert "12,345.678" in table(20, monkeypatch)[-2]


def test_a_long_word_is_broken_rather_than_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a URL in a reason."""
    screen = make_screen(monkeypatch, 40)
    lines = format_table([Column("key"), Column("reason")], [("a1", "x" * 100)], screen)
    assert max(len(without_colours(line)) for line in lines) <= 40


def test_a_line_break_in_a_cell_does_not_break_its_row() -> None:
    """A reason may have several lines."""
    assert format_table([Column("reason")], [("two\nlines",)], io.StringIO())[1:] == ["two lines"]
