"""Tests of colours."""

from __future__ import annotations

import io

import pytest

from db.cli.terminal.colour import paint, without_colours

from .screen import make_screen


def test_a_terminal_shows_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """They end where the text ends."""
    painted = paint("fault", "red", make_screen(monkeypatch))
    assert painted == "\033[1;31mfault\033[0m"
    assert without_colours(painted) == "fault"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user has said so, or the terminal cannot show them."""
    screen = make_screen(monkeypatch)
    monkeypatch.setenv(name, value)
    assert paint("fault", "red", screen) == "fault"


def test_a_file_gets_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs read it."""
    make_screen(monkeypatch)
    assert paint("fault", "red", io.StringIO()) == "fault"
