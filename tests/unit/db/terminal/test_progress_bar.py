"""Tests of progress bars."""

from __future__ import annotations

import io

import pytest

from db.cli.terminal import progress_bar
from db.cli.terminal.colour import without_colours
from db.cli.terminal.progress_bar import ProgressBar

from .screen import Screen, make_screen


@pytest.fixture(autouse=True)
def _show_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show each step, however soon it follows the one before."""
    monkeypatch.setattr(progress_bar, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress_bar, "TERMINAL_SECONDS", 0.0)


def shown(screen: Screen) -> list[str]:
    """Return what was shown in the line, one after the other."""
    return without_colours(screen.getvalue()).split("\r\033[K")[1:]


def test_short_work_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user hardly waits."""
    monkeypatch.setattr(progress_bar, "LINE_SECONDS", 5.0)
    stream = io.StringIO()
    progress = ProgressBar("import rooms", 10, stream)
    progress.begin("checking rooms.csv")
    progress.advance(10)
    progress.end()
    assert stream.getvalue() == ""


def test_long_work_shows_plain_lines_without_a_terminal() -> None:
    """Such lines stay readable in a log file."""
    stream = io.StringIO()
    progress = ProgressBar("import rooms", 2000, stream)
    progress.advance(500)
    progress.advance(1000)
    progress.end()
    first, second = stream.getvalue().splitlines()
    assert first.startswith("import rooms: 500 of 2,000, ")
    assert second.startswith("import rooms: 1,500 of 2,000, ")


def test_long_work_of_unknown_length_shows_how_much_is_done() -> None:
    """The rows of a query are not counted before it is read."""
    stream = io.StringIO()
    ProgressBar("import rooms", stream=stream).advance(1500)
    assert stream.getvalue().startswith("import rooms: 1,500, ")
    assert " of " not in stream.getvalue()


def test_a_terminal_says_at_once_what_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first seconds of long work are not silent."""
    screen = make_screen(monkeypatch)
    progress = ProgressBar("train rooms", stream=screen)
    progress.begin("reading 5,551 records")
    progress.begin("fitting the first fold", 100)
    assert shown(screen) == [
        "train rooms: reading 5,551 records",
        f"train rooms: [{'·' * 24}] 0 of 100 (fitting the first fold)",
    ]


def test_long_work_redraws_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is removed at the end."""
    screen = make_screen(monkeypatch)
    progress = ProgressBar("import rooms", 100, screen)
    progress.advance(50)
    progress.advance(60)
    progress.end()
    half, full, nothing = shown(screen)
    assert half.startswith(f"import rooms: [{'█' * 12}{'·' * 12}] 50 of 100, ")
    assert full == f"import rooms: [{'█' * 24}] 110 of 100, 0 s left"
    assert nothing == ""


def test_the_time_left_is_in_the_unit_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody counts in hundreds of seconds."""
    stream = io.StringIO()
    seconds = iter([0.0, 0.0, 10.0])
    monkeypatch.setattr("db.cli.terminal.progress_bar.time.monotonic", lambda: next(seconds))
    progress = ProgressBar("import rooms", stream=stream)
    progress.begin("", 1300)
    progress.advance(100)
    assert stream.getvalue() == "import rooms: 100 of 1,300, 2 min left\n"


def test_a_bar_is_hidden_where_the_result_is_written_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would stand between the rows."""
    screen = make_screen(monkeypatch)
    progress = ProgressBar("predict rooms.csv", 10, screen, is_hidden=True)
    progress.begin("reading the rows")
    progress.advance(5)
    progress.end()
    assert screen.getvalue() == ""


def test_a_share_is_shown_in_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """For work whose units say nothing to a user."""
    screen = make_screen(monkeypatch)
    ProgressBar("train rooms", 200, screen, as_share=True).advance(54, "linear, fold 1 of 5")
    [line] = shown(screen)
    assert "] 27%, " in line
    assert line.endswith("(linear, fold 1 of 5)")


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_a_bar_never_fills_more_than_its_line(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each redrawing would leave a line behind."""
    screen = make_screen(monkeypatch, columns)
    ProgressBar("train rooms", 20_000, screen).advance(5430, "margin + neighbours, fold 3 of 5")
    [line] = shown(screen)
    assert len(line) < columns
