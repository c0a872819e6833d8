"""`db predict`, killed at random moments and run again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from db.store.store import Store
from tests.conftest import ROOT, command_environment
from tests.hand_made_student import RENTS, rents, serve_student
from tests.processes import PATIENCE_SECONDS, children_of, is_gone, wait_for

from .conftest import FULL

ROWS = 400_000 if FULL else 60_000
KILLS = 10 if FULL else 2
# From before the command has read the file until it has written most of it.
EARLIEST_SECONDS, LATEST_SECONDS = 0.2, 6.0 if FULL else 2.0


def write_table(folder: Path) -> Path:
    """Write a table of which each tenth row is bad."""
    path = folder / "table.csv"
    lines = (f'{n},"Lyon",{n / 7 if n % 10 else "big"}' for n in range(ROWS))
    path.write_text("\n".join(["nr,town,area", *lines]), "utf-8")
    return path


def start_predict(url: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start `db predict` with two processes that predict."""
    return subprocess.Popen(
        [sys.executable, "-m", "db", "predict", "rents", *map(str, arguments), "--jobs", "2"],
        cwd=ROOT,
        env=command_environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(running: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end of a command; return its exit code and what it said."""
    _, error = running.communicate(timeout=PATIENCE_SECONDS)
    return running.returncode, error


def test_a_killed_run_leaves_no_half_file_and_the_next_gives_the_same(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """The file appears complete or not at all, and the processes that predict end too."""
    serve_student(store, RENTS, rents())
    table = write_table(tmp_path)
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    assert end_of(start_predict(database_url, table, "--out", whole))[0] == 0
    generator, kills = random.Random(1), 0
    for _ in range(KILLS):
        with start_predict(database_url, table, "--out", out) as running:
            time.sleep(generator.uniform(EARLIEST_SECONDS, LATEST_SECONDS))
            helpers = children_of(running.pid) if running.poll() is None else set()
            running.kill()
            running.wait()
        if running.returncode == -signal.SIGKILL and not out.exists():
            kills += 1
        for pid in helpers:
            wait_for(partial(is_gone, pid), lambda: "a process outlives its parent")
        if out.exists():
            assert out.read_bytes() == whole.read_bytes()
            out.unlink()
    assert kills, "no run was killed before its end"
    code, error = end_of(start_predict(database_url, table, "--out", out))
    assert code == 0, error
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def predicting_pids(running: subprocess.Popen[str]) -> list[int]:
    """Return the processes that predict, as soon as both are there."""

    def found() -> list[int]:
        assert running.poll() is None, "the run ended before a process was seen"
        lines = {
            pid: Path(f"/proc/{pid}/cmdline").read_bytes()
            for pid in children_of(running.pid)
            if not is_gone(pid)
        }
        pids = [pid for pid, line in lines.items() if b"spawn_main" in line]
        return pids if len(pids) == 2 else []

    return wait_for(found, lambda: "no process predicts")


def test_a_killed_process_ends_the_run_with_an_error(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """Rather than rows being left out, or the run waiting for ever."""
    serve_student(store, RENTS, rents())
    out = tmp_path / "out.csv"
    with start_predict(database_url, write_table(tmp_path), "--out", out) as running:
        os.kill(predicting_pids(running)[0], signal.SIGKILL)
        code, error = end_of(running)
    assert code == 1
    assert "one of the processes that predict ended by SIGKILL; run the command again" in error
    assert "Traceback" not in error
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_an_interrupted_run_ends_cleanly(store: Store, database_url: str, tmp_path: Path) -> None:
    """Ctrl-C is sent to all processes of the terminal."""
    serve_student(store, RENTS, rents())
    out = tmp_path / "out.csv"
    with start_predict(database_url, write_table(tmp_path), "--out", out) as running:
        pids = predicting_pids(running)
        for pid in (*pids, running.pid):
            os.kill(pid, signal.SIGINT)
        code, error = end_of(running)
    assert (code, "interrupted" in error, "Traceback" in error) == (1, True, False), error
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_a_reader_that_closes_the_output_ends_the_run(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """As `head` does."""
    serve_student(store, RENTS, rents())
    with start_predict(database_url, write_table(tmp_path)) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("nr,town,area,prediction,")
        running.stdout.close()
        assert running.stderr is not None
        error = running.stderr.read()
        code = running.wait(PATIENCE_SECONDS)
    assert (code, "Traceback" in error) == (0, False), error
