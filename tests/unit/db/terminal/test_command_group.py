"""Tests of how commands that are called wrongly answer, and of the help of a group."""

from __future__ import annotations

import sys

import click
import pytest

from db.cli.terminal.command_group import CommandGroup, invoke_group

LONG = "Write the whole store into a file while everything runs, and say at the end how much it is."


@click.group(cls=CommandGroup)
def rooms() -> None:
    """Manage rooms."""


@rooms.command(help=f"{LONG} More follows here.")
@click.option("--query")
@click.argument("name")
def backup(name: str, query: str | None) -> None:
    """Fail as its name says."""
    if name == "usage":
        raise click.UsageError("--query: needs a name")
    if name == "abort":
        raise click.Abort
    click.echo(f"{name} {query}")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the group with these arguments, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["rooms", *arguments])
    try:
        invoke_group(rooms, "python -m rooms", "_ROOMS_COMPLETE")
    except SystemExit as ended:
        return int(str(ended.code))
    return 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["bakup"], "no such command 'bakup'"),
        (["backup"], "missing argument 'NAME'"),
        (["backup", "usage"], "--query: needs a name; see python -m rooms backup --help"),
        (["backup", "a", "--qery", "b"], "no such option '--qery'"),
    ],
)
def test_wrong_usage_is_one_line_that_says_where_help_is(
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It looks like every other error, and its exit code is 2."""
    assert run(monkeypatch, *arguments) == 2
    out, error = capsys.readouterr()
    assert (out, error.count("\n")) == ("", 1)
    assert error.startswith(f"veilleuse: {line}")
    assert error.endswith(" --help\n")


def test_a_question_that_is_not_confirmed_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1."""
    assert run(monkeypatch, "backup", "abort") == 1
    assert capsys.readouterr().err == "veilleuse: not confirmed, so nothing was changed\n"


def test_a_command_that_is_called_rightly_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its output is its own."""
    assert run(monkeypatch, "backup", "a", "--query", "b") == 0
    assert capsys.readouterr() == ("a b\n", "")


def test_a_group_without_a_command_shows_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first sentence of each command is whole, however narrow the terminal is."""
    monkeypatch.setenv("COLUMNS", "60")
    assert run(monkeypatch) == 2
    shown = capsys.readouterr().err
    assert LONG in " ".join(shown.split())
    assert "More follows" not in shown
    assert max(map(len, shown.splitlines())) <= 60
