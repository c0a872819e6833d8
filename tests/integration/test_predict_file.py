"""The command `db predict`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from db.records.dataset import Dataset
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.learning.training import train_model
from tests.conftest import (
    ROOT,
    WORDS_TEACHER,
    Done,
    command_environment,
    make_store,
    notes_spec,
    register,
    run_command,
    settings_for,
)
from tests.hand_made_student import RENTS, rents, serve_student
from tests.processes import PATIENCE_SECONDS

from .test_worker import fill, worker_running

Command = Callable[..., Done]
TEXT = "nr,town,area\n1,Lyon,55\n2,Lyon,big\n3,Paris,60\n"


@pytest.fixture
def store(sqlite_url: str) -> Store:
    """Return an empty store."""
    return make_store(sqlite_url)


@pytest.fixture
def command(sqlite_url: str) -> Command:
    """Return a function that runs a command on the store."""
    return lambda package, *arguments: run_command(sqlite_url, package, *arguments)


@pytest.fixture
def table(store: Store, tmp_path: Path) -> Path:
    """Return a table of flats, of which a model exists."""
    serve_student(store, RENTS, rents())
    path = tmp_path / "flats.csv"
    path.write_text(TEXT)
    return path


def test_rows_go_to_standard_output_and_all_else_to_standard_error(
    table: Path, command: Command
) -> None:
    """The exit code is 0 although a row is bad."""
    done = command("db", "predict", "rents", str(table))
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert done.code == 0, done.err
    assert [row["nr"] for row in rows] == ["1", "2", "3"]
    assert [bool(row["prediction"]) for row in rows] == [True, False, True]
    assert done.err.splitlines() == [
        f"{table}:3: area: must be a number",
        "rents: 3 rows: 2 predicted, 1 with an error",
    ]


def test_rows_go_to_a_file_and_the_counts_to_standard_output(
    table: Path, command: Command, tmp_path: Path
) -> None:
    """As other commands print what they have done."""
    out = tmp_path / "out.jsonl"
    done = command(
        "db", "predict", "rents", str(table), "--out", str(out), "--format", "jsonl", "--json"
    )
    counts = {"rows": 3, "predicted": 2, "errors": 1, "recorded": 0}
    assert (done.code, json.loads(done.out)) == (0, counts)
    assert [json.loads(line)["nr"] for line in out.read_text().splitlines()] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nothing", "{table}"), 1, "no dataset is named 'nothing'"),
        (("rents", "{table}x"), 1, "flats.csvx: No such file or directory"),
        (("rents", "{table}", "--out", "{table}"), 1, "is the file that is read"),
        (("rents", "{table}", "--out", "/nowhere/out.csv"), 1, "/nowhere/out.csv: No such file"),
        (("rents", "{table}", "--out", "/dev/full"), 1, "/dev/full: No space left on device"),
        (("rents", "{table}", "--format", "xlsx"), 2, "'xlsx' is not one of"),
    ],
)
def test_a_run_that_cannot_begin_says_why(
    table: Path, command: Command, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """On one line, and before anything is written."""
    done = command("db", "predict", *(one.format(table=table) for one in arguments))
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_full_disk_behind_standard_output_is_one_line(table: Path, sqlite_url: str) -> None:
    """Python does not try to write it once more, and report it, when it ends."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "db", "predict", "rents", str(table)],
            cwd=ROOT,
            env=command_environment(sqlite_url),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "veilleuse: standard output: No space left on device\n",
    )


def test_final_answers_need_no_teacher(table: Path, command: Command) -> None:
    """A student that is the teacher has nothing to wait for."""
    done = command("db", "predict", "rents", str(table), "--wait")
    assert done.code == 0
    assert "the model's answers are final, so no input is recorded" in done.err


@pytest.fixture
def notes(store: Store, sqlite_url: str) -> Dataset:
    """Return a dataset whose teacher reads an enrichment."""
    dataset = register(store, notes_spec({"text_profile": EnricherSpec()}, WORDS_TEACHER))
    fill(store, dataset, 0, 40)
    done = run_command(sqlite_url, "enrich", "once", dataset.name)
    assert done.code == 0, done.err
    assert train_model(store, dataset.name, settings_for(sqlite_url)).decision.active
    return dataset


def test_waiting_lets_the_teacher_answer_every_row(
    notes: Dataset, sqlite_url: str, tmp_path: Path
) -> None:
    """Without a worker it says at once what to run, and goes on as soon as one is there."""
    path = tmp_path / "notes.csv"
    path.write_text("sentence\nmerci pour tout\nrien à dire\nmerci pour tout\n\n")
    first = run_command(sqlite_url, "db", "predict", notes.name, str(path))
    assert [row["source"] for row in csv.DictReader(io.StringIO(first.out))] == ["student"] * 3
    with subprocess.Popen(
        [sys.executable, "-m", "db", "predict", notes.name, str(path), "--wait"],
        cwd=ROOT,
        env=command_environment(sqlite_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stderr is not None
        said = waiting.stderr.readline()
        assert f"no worker is running; run: python -m enrich once {notes.name}" in said
        with worker_running(sqlite_url):
            out, error = waiting.communicate(timeout=PATIENCE_SECONDS)
    assert waiting.returncode == 0, error
    assert [row["source"] for row in csv.DictReader(io.StringIO(out))] == ["teacher"] * 3
    assert "2 unseen inputs recorded" in error
