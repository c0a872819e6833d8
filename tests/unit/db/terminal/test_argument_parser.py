"""Tests of the parser whose help and errors look like those of the other commands."""

from __future__ import annotations

import argparse

import pytest

from db.cli.terminal.argument_parser import ArgumentParser


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> ArgumentParser:
    """Return a parser with an option for people and one for programs."""
    monkeypatch.setenv("COLUMNS", "60")
    made = ArgumentParser(
        prog="python -m rooms", description="Run the rooms, all of them.", add_help=False
    )
    made.add_argument("--check", action="store_true", help="Check whether it would start.")
    made.add_argument("--listener", help=argparse.SUPPRESS)
    made.add_argument("-h", "--help", action="help", help="Show this message and exit.")
    return made


def test_the_help_has_the_layout_of_the_other_commands(parser: ArgumentParser) -> None:
    """Options for programs are not listed."""
    assert parser.format_help() == (
        "Usage: python -m rooms [OPTIONS]\n\n"
        "  Run the rooms, all of them.\n\n"
        "Options:\n"
        "  --check     Check whether it would start.\n"
        "  -h, --help  Show this message and exit.\n"
    )


def test_wrong_usage_is_one_line(
    parser: ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2."""
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--chek"])
    assert ended.value.code == 2
    expected = "veilleuse: unrecognized arguments: --chek; see python -m rooms --help\n"
    assert capsys.readouterr() == ("", expected)
