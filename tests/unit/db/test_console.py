"""What every command does alike: one line for an error, the exit code, a clean end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from db.cli.console import ProgressBar, as_json, run_command
from db.errors import InputError, StoreError, VeilleuseError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Give back the handlers that a command replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def failing(error: BaseException) -> int:
    """Return the exit code of a command that ends so."""

    def command() -> None:
        raise error

    return run_command(command)


def script(body: str) -> list[str]:
    """Return the arguments of a process that runs a command of ours."""
    lines = ["import os, signal, sys", "from db.cli.console import run_command", "def command():"]
    lines += [f"    {line}" for line in body.splitlines()]
    return [sys.executable, "-c", "\n".join([*lines, "sys.exit(run_command(command))"])]


def test_a_command_that_ends_well_says_nothing_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 0."""
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
def test_a_users_mistake_is_one_line_on_stderr(
    error: VeilleuseError, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and no traceback."""
    assert failing(error) == 1
    assert capsys.readouterr() == ("", f"veilleuse: {line}\n")


def test_a_store_out_of_reach_is_one_line_that_names_the_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the driver says."""
    engine = create_engine("sqlite:////no/such/folder/store.db")
    assert run_command(engine.connect) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "unable to open database file" in said
    assert "check DATABASE_URL" in said


def test_our_own_mistake_keeps_its_traceback() -> None:
    """It is for whoever mends the code."""
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_command_with_one_line(name: str) -> None:
    """No traceback, and a word on how to go on."""
    body = f"os.kill(os.getpid(), signal.{name})\nsignal.pause()"
    done = subprocess.run(
        script(body), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("veilleuse: interrupted; ")


def test_a_reader_that_has_had_enough_is_no_mistake() -> None:
    """As `head` does; nothing is said of it."""
    read, write = os.pipe()
    os.close(read)
    body = "for _ in range(100_000):\n    print('a line of output')"
    done = subprocess.run(
        script(body),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_is_printed_for_people_and_programs() -> None:
    """Indented, and with accents as they are."""
    assert as_json({"wish": "été", "counts": [1]}) == (
        '{\n  "wish": "été",\n  "counts": [\n    1\n  ]\n}'
    )


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_short_work_shows_no_progress() -> None:
    """There is nothing to wait for."""
    stream = io.StringIO()
    progress = ProgressBar("import rooms", 10, stream)
    progress.advance(10)
    progress.end()
    assert stream.getvalue() == ""


def test_long_work_shows_plain_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Logs keep them."""
    monkeypatch.setattr("db.cli.console.PROGRESS_SECONDS", 0.0)
    stream = io.StringIO()
    progress = ProgressBar("import rooms", 2000, stream)
    progress.advance(500)
    progress.advance(1000)
    progress.end()
    first, second = stream.getvalue().splitlines()
    assert first.startswith("import rooms: 500 of 2,000, ")
    assert second.startswith("import rooms: 1,500 of 2,000, ")


def test_long_work_of_unknown_length_shows_how_much_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file is not counted first."""
    monkeypatch.setattr("db.cli.console.PROGRESS_SECONDS", 0.0)
    stream = io.StringIO()
    ProgressBar("import rooms", stream=stream).advance(1500)
    assert stream.getvalue().startswith("import rooms: 1,500, ")
    assert " of " not in stream.getvalue()


def test_long_work_shows_a_bar_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves the line free at its end."""
    monkeypatch.setattr("db.cli.console.TERMINAL_PROGRESS_SECONDS", 0.0)
    stream = Terminal()
    progress = ProgressBar("import rooms", 100, stream)
    progress.advance(50)
    progress.advance(60)
    progress.end()
    shown = stream.getvalue()
    assert "\n" not in shown
    assert f"[{'█' * 12}{'·' * 12}] 50 of 100" in shown
    assert f"[{'█' * 24}] 110 of 100, 0 s left" in shown
    assert shown.endswith("\r\033[K")
