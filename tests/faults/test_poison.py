"""Poison records: they kill, fail or end the process that computes them."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import func, select

from db.errors import EnricherError
from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.chunk import MOST_ATTEMPTS
from db.records.dataset import Dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.section import EnricherSpec
from db.spec.stored_spec import encode_spec
from db.store import tables
from db.store.store import Store
from enrich.enrichers.base import Row
from enrich.executors.base import ChildDied
from enrich.executors.local import LocalExecutor
from enrich.executors.recipe import EnricherRecipe
from tests.conftest import ROOT, Done, command_environment, notes_spec, register
from tests.extent import on_store

NEIGHBOURS = 60
POISON = "poison"
DIED = "the compute child died with exit code "
SLOW_SECONDS = 1.0
CODE_PATHS = ("tests",)


def _segfault() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def _raise() -> None:
    raise ValueError("I do not take poison")


def _exit_process() -> None:
    sys.exit(3)


def _exit_slowly() -> None:
    """End slowly, like a child without CPU: the pipe closes well before the process ends."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if entry.is_socket():
                os.close(int(entry.name))
    time.sleep(SLOW_SECONDS)
    os._exit(3)


def _kill_worker() -> None:
    os.kill(os.getppid(), signal.SIGKILL)


BITES: dict[str, Callable[[], None]] = {
    "segfault": _segfault,
    "raise": _raise,
    "exit": _exit_process,
    "slow exit": _exit_slowly,
    "kill": _kill_worker,
}


class Bitten:
    """Return the lengths, or fail if a row is poison and there is no antidote file next to the log.

    Each try of the poison adds a line to the log: the number of rows in the batch.
    """

    version = "1"

    def __init__(self, bite: str, log: str) -> None:
        self._bite = BITES[bite]
        self._log = Path(log)

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        has_poison = any(POISON in row["sentence"] for row in rows)
        if has_poison and not antidote(self._log).exists():
            with self._log.open("a", encoding="ascii") as file:
                file.write(f"{len(rows)}\n")
            self._bite()
        return [len(row["sentence"]) for row in rows]


def antidote(log: Path) -> Path:
    """Return the file that makes the poison harmless."""
    return log.with_suffix(".antidote")


def spec_of(bite: str, log: Path) -> DatasetSpec:
    """Return a spec whose only enricher fails on poison."""
    use, config = f"{__name__}.Bitten", {"bite": bite, "log": str(log)}
    return notes_spec({"bitten": EnricherSpec(use=use, config=config)})


@dataclass(frozen=True)
class Notes:
    """A dataset with a poison record, its store, and the log of the tries."""

    store: Store
    dataset: Dataset
    log: Path
    poison: str

    def tries(self) -> list[int]:
        """Return the number of rows of each batch that contained the poison, in order."""
        return [int(line) for line in self.log.read_text("ascii").split()]

    def values(self) -> dict[str, Any]:
        """Return each sentence's value."""
        rows = export_rows(self.store, self.dataset)
        return {row["inputs"]["sentence"]: row["enrichments"].get("bitten") for row in rows}

    def lacking(self) -> list[str]:
        """Return the sentences that lack the right value."""
        return [text for text, value in self.values().items() if value != len(text)]

    def chunks(self) -> int:
        """Count the chunks that are left."""
        with self.store.reading() as connection:
            return connection.execute(select(func.count()).select_from(tables.chunk)).scalar_one()


def make_notes(store: Store, folder: Path, bite: str, neighbours: int = NEIGHBOURS) -> Notes:
    """Make a dataset of one poison record and some harmless ones."""
    log = folder / "tries"
    dataset = register(store, spec_of(bite, log))
    texts = [POISON, *(f"rien du tout {number}" for number in range(neighbours))]
    rows = []
    for text in texts:
        inputs = dataset.spec.read_inputs({"sentence": text})
        rows.append(NewRow(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return Notes(store, dataset, log, rows[0].key.hex())


Command: TypeAlias = Callable[..., Done]

bites = pytest.mark.parametrize(
    ("bite", "reason"),
    [
        ("segfault", DIED),
        ("exit", DIED),
        ("raise", "ValueError: I do not take poison"),
    ],
)


@bites
def test_a_poison_record_is_quarantined_after_three_tries_and_its_neighbours_are_done(
    store: Store, command: Command, tmp_path: Path, bite: str, reason: str
) -> None:
    """The worker survives every kind of failure and reports the reason."""
    notes = make_notes(store, tmp_path, bite)
    done = command("enrich", "once")
    assert done.code == 1
    assert "1 of them lack a value and are quarantined" in done.err
    assert reason in done.err
    assert "Traceback" not in done.err
    assert notes.lacking() == [POISON]
    assert notes.tries().count(1) == MOST_ATTEMPTS
    assert notes.chunks() == 0


@bites
def test_an_executor_computes_the_next_rows_after_a_poison_record(
    tmp_path: Path, bite: str, reason: str
) -> None:
    """The next rows are computed, by another child if the first one died."""
    spec = encode_spec(spec_of(bite, tmp_path / "tries"))
    executor = LocalExecutor()

    def compute(text: str) -> list[Any]:
        recipe = EnricherRecipe(spec, "bitten", CODE_PATHS)
        return executor.compute("f1", lambda: recipe, [{"sentence": text}]).values

    try:
        assert compute("merci") == [5]
        with pytest.raises(EnricherError, match=reason) as caught:
            compute(POISON)
        assert isinstance(caught.value, ChildDied) == (bite != "raise")
        assert compute("bonjour") == [7]
    finally:
        executor.close()


def test_the_error_gives_the_exit_code_of_a_child_that_ends_slowly(tmp_path: Path) -> None:
    """A child at idle priority may end slowly; killing it would look like a lack of memory."""
    spec = encode_spec(spec_of("slow exit", tmp_path / "tries"))
    executor = LocalExecutor()
    recipe = EnricherRecipe(spec, "bitten", CODE_PATHS)
    try:
        with pytest.raises(ChildDied, match=f"{DIED}3"):
            executor.compute("f1", lambda: recipe, [{"sentence": POISON}])
    finally:
        executor.close()


@on_store("sqlite")
def test_a_user_sees_what_is_quarantined_and_tries_it_again(
    store: Store, command: Command, tmp_path: Path
) -> None:
    """A quarantined record is tried again only on request, and then fails again or is enriched."""
    notes = make_notes(store, tmp_path, "segfault")
    assert command("enrich", "once").code == 1
    seen = command("enrich", "quarantine", "list")
    titles, record, *_ = seen.out.splitlines()
    assert titles.split() == ["dataset", "key", "since"]
    assert record.startswith(f"notes    {notes.poison}  ")
    assert f"  bitten: {DIED}" in seen.out
    assert f'  {{"sentence":"{POISON}"}}\n' in seen.out
    (listed,) = json.loads(command("enrich", "quarantine", "list", "notes", "--json").out)
    assert (listed["dataset"], listed["key"], listed["enricher"]) == (
        "notes",
        notes.poison,
        "bitten",
    )
    assert command("enrich", "once").out == "enriched 0 records\n"
    assert notes.tries().count(1) == MOST_ATTEMPTS
    retried = command("enrich", "quarantine", "retry")
    assert retried.out == "1 records will be tried again; try them now: python -m enrich once\n"
    assert command("enrich", "once").code == 1
    assert notes.tries().count(1) == 2 * MOST_ATTEMPTS
    antidote(notes.log).touch()
    retried = command("enrich", "quarantine", "retry", "--key", notes.poison, "--json")
    assert json.loads(retried.out) == {"retried": 1}
    assert command("enrich", "once").out == "enriched 1 records\n"
    assert notes.lacking() == []
    assert command("enrich", "quarantine", "list").out == "no record is quarantined\n"
    assert json.loads(command("enrich", "quarantine", "list", "--json").out) == []


@on_store("sqlite")
def test_a_user_drops_a_quarantined_record(
    store: Store, database_url: str, command: Command, tmp_path: Path
) -> None:
    """The command asks for confirmation, and then deletes only the quarantined record."""
    notes = make_notes(store, tmp_path, "exit")
    assert command("enrich", "once").code == 1
    asked = subprocess.run(
        [sys.executable, "-m", "enrich", "quarantine", "drop"],
        cwd=ROOT,
        env=command_environment(database_url),
        input=b"n\n",
        check=False,
        capture_output=True,
    )
    assert asked.returncode == 1
    assert b"Delete these records with their labels?" in asked.stderr
    assert notes.lacking() == [POISON]
    dropped = command("enrich", "quarantine", "drop", "notes", "--yes", "--json")
    assert json.loads(dropped.out) == {"dropped": 1}
    assert POISON not in notes.values()
    assert len(notes.values()) == NEIGHBOURS
    assert notes.lacking() == []
    assert command("enrich", "once").out == "enriched 0 records\n"
    assert command("enrich", "quarantine", "drop", "--yes").out == "deleted 0 records\n"


@on_store("sqlite")
def test_a_record_that_kills_its_workers_is_quarantined_alone(
    store: Store, command: Command, tmp_path: Path
) -> None:
    """Three deaths on four records, three on two and three on one identify the record."""
    notes = make_notes(store, tmp_path, "kill", neighbours=3)
    deaths = 0
    while (done := command("enrich", "once")).code == -signal.SIGKILL:
        deaths += 1
        assert deaths <= 3 * MOST_ATTEMPTS
    assert done.code == 1, done.err
    assert f"{MOST_ATTEMPTS} workers died over it" in done.err
    assert deaths == len(notes.tries()) == 3 * MOST_ATTEMPTS
    assert notes.tries()[: -2 * MOST_ATTEMPTS] == [4] * MOST_ATTEMPTS
    assert notes.tries()[-MOST_ATTEMPTS:] == [1] * MOST_ATTEMPTS
    assert notes.lacking() == [POISON]
    assert notes.chunks() == 0
    listed = command("enrich", "quarantine", "list").out
    assert f"its worker: {MOST_ATTEMPTS} workers died over it\n" in listed
    antidote(notes.log).touch()
    assert command("enrich", "quarantine", "retry").code == 0
    assert command("enrich", "once").out == "enriched 1 records\n"
    assert notes.lacking() == []
