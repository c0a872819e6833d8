"""Tests of what all commands do: one-line errors, exit codes and a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from db.cli.console import as_json, run_command
from db.errors import InputError, StoreError, VeilleuseError
from tests.conftest import ROOT
from tests.processes import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _restore_signal_handlers() -> Iterator[None]:
    """Restore the signal handlers that a command replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a command that raises this error."""

    def command() -> None:
        raise error

    return run_command(command)


def command_line(body: str) -> list[str]:
    """Return the command line of a process that runs this body as a command."""
    lines = ["import os, signal, sys", "from db.cli.console import run_command", "def command():"]
    lines += [f"    {line}" for line in body.splitlines()]
    return [sys.executable, "-c", "\n".join([*lines, "sys.exit(run_command(command))"])]


def test_a_successful_command_writes_nothing_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its exit code is 0."""
    assert run_command(lambda: sys.stdout.write("done\n")) == 0
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (VeilleuseError("the file: is not there"), "the file: is not there"),
        (VeilleuseError(), "Something went wrong."),
        (StoreError(), "The store cannot be used."),
        (InputError("age", "must be a number", 42), "age: must be a number"),
        (VeilleuseError("two\nlines,\r\n\tand more  "), "two lines, and more"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_on_stderr(
    error: VeilleuseError, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1, and there is no traceback."""
    assert exit_code_of(error) == 1
    assert capsys.readouterr() == ("", f"veilleuse: {line}\n")


def test_an_unreachable_store_is_one_line_that_names_the_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line includes the message of the database driver."""
    engine = create_engine("sqlite:////no/such/folder/store.db")
    assert run_command(engine.connect) == 1
    stderr = capsys.readouterr().err
    assert stderr.count("\n") == 1
    assert "unable to open database file" in stderr
    assert "check DATABASE_URL" in stderr


def test_a_bug_keeps_its_traceback() -> None:
    """Developers need the traceback to fix it."""
    with pytest.raises(ZeroDivisionError):
        exit_code_of(ZeroDivisionError())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_command_with_one_line(name: str) -> None:
    """There is no traceback, and the line says how to continue."""
    body = f"os.kill(os.getpid(), signal.{name})\nsignal.pause()"
    completed = subprocess.run(
        command_line(body),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert completed.returncode == 1
    assert completed.stdout == ""
    assert completed.stderr.count("\n") == 1
    assert completed.stderr.startswith("veilleuse: interrupted; ")


def test_a_closed_output_pipe_is_not_an_error() -> None:
    """Programs such as `head` stop reading early."""
    read, write = os.pipe()
    os.close(read)
    body = "for _ in range(100_000):\n    print('a line of output')"
    completed = subprocess.run(
        command_line(body),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    os.close(write)
    assert (completed.returncode, completed.stderr) == (0, "")


def test_json_output_is_indented_and_keeps_accents() -> None:
    """Both people and programs read it."""
    assert as_json({"wish": "été", "counts": [1]}) == (
        '{\n  "wish": "été",\n  "counts": [\n    1\n  ]\n}'
    )
