"""Records that kill, fail or end whoever computes them."""

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
from db.queue.chunk import MOST_ATTEMPTS
from db.records.dataset import Dataset
from db.records.record import NewRecord, add_records
from db.spec.dataset_spec import DatasetSpec, EnricherSpec, encode_spec
from db.store import tables
from db.store.store import Store
from enrich.enrichers.base import Row
from enrich.executors.base import ChildDied
from enrich.executors.local import LocalExecutor
from enrich.executors.recipe import EnricherRecipe
from tests.conftest import ROOT, Done, command_environment, notes_spec, register

NEIGHBOURS = 60
POISON = "poison"
DIED = "the compute child died with exit code "
SLOW_SECONDS = 1.0
CODE_PATHS = ("tests",)


def _read_nowhere() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def _raise() -> None:
    raise ValueError("I do not take poison")


def _end() -> None:
    sys.exit(3)


def _end_slowly() -> None:
    """End as a child that gets no CPU does: its pipe is closed well before it is gone."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if entry.is_socket():
                os.close(int(entry.name))
    time.sleep(SLOW_SECONDS)
    os._exit(3)


def _kill_worker() -> None:
    os.kill(os.getppid(), signal.SIGKILL)


BITES: dict[str, Callable[[], None]] = {
    "segfault": _read_nowhere,
    "raise": _raise,
    "exit": _end,
    "slow exit": _end_slowly,
    "kill": _kill_worker,
}


class Bitten:
    """The length, unless there is poison among the rows and no antidote beside the log.

    How many rows there were with the poison is written to the log, a line each time.
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
    """Return a spec whose one enricher is bitten."""
    use, config = f"{__name__}.Bitten", {"bite": bite, "log": str(log)}
    return notes_spec({"bitten": EnricherSpec(use=use, config=config)})


@dataclass(frozen=True)
class Notes:
    """A dataset with a poison record, its store, and the log of its tries."""

    store: Store
    dataset: Dataset
    log: Path
    poison: str

    def tries(self) -> list[int]:
        """Return with how many rows the poison was tried, time after time."""
        return [int(line) for line in self.log.read_text("ascii").split()]

    def values(self) -> dict[str, Any]:
        """Return each sentence's value."""
        rows = export_rows(self.store, self.dataset)
        return {row["inputs"]["sentence"]: row["enrichments"].get("bitten") for row in rows}

    def lacking(self) -> list[str]:
        """Return the sentences without their right value."""
        return [text for text, value in self.values().items() if value != len(text)]

    def chunks(self) -> int:
        """Count chunks that are left."""
        with self.store.reading() as connection:
            return connection.execute(select(func.count()).select_from(tables.chunk)).scalar_one()


def make_notes(store: Store, folder: Path, bite: str, local_worker_pids: int = NEIGHBOURS) -> Notes:
    """Fill a dataset."""
    log = folder / "tries"
    found = register(store, spec_of(bite, log))
    texts = [POISON, *(f"rien du tout {number}" for number in range(local_worker_pids))]
    rows = []
    for text in texts:
        inputs = found.spec.read_inputs({"sentence": text})
        rows.append(NewRecord(found.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_records(connection, found.id, rows, "import")
    return Notes(store, found, log, rows[0].key.hex())


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
    """However it bites, the worker outlives it and says what to do."""
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
def test_an_executor_outlives_what_its_child_died_of(
    tmp_path: Path, bite: str, reason: str
) -> None:
    """The next rows are computed, by another child if need be."""
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


def test_the_reason_is_how_the_child_ended_however_long_that_took(tmp_path: Path) -> None:
    """A child at idle priority may take its time to end; -9 would be taken for want of memory."""
    spec = encode_spec(spec_of("slow exit", tmp_path / "tries"))
    executor = LocalExecutor()
    recipe = EnricherRecipe(spec, "bitten", CODE_PATHS)
    try:
        with pytest.raises(ChildDied, match=f"{DIED}3"):
            executor.compute("f1", lambda: recipe, [{"sentence": POISON}])
    finally:
        executor.close()


def test_a_user_sees_what_is_quarantined_and_tries_it_again(
    store: Store, command: Command, tmp_path: Path
) -> None:
    """Left alone it is not tried again; retried it is quarantined again, or done once it can be."""
    notes = make_notes(store, tmp_path, "segfault")
    assert command("enrich", "once").code == 1
    seen = command("enrich", "quarantine", "list")
    assert seen.out.startswith(f"notes {notes.poison} ")
    assert f"bitten: {DIED}" in seen.out
    assert f'  {{"sentence":"{POISON}"}}\n' in seen.out
    (one,) = json.loads(command("enrich", "quarantine", "list", "notes", "--json").out)
    assert (one["dataset"], one["key"], one["enricher"]) == ("notes", notes.poison, "bitten")
    assert command("enrich", "once").out == "enriched 0 records\n"
    assert notes.tries().count(1) == MOST_ATTEMPTS
    run_once = command("enrich", "quarantine", "retry")
    assert run_once.out == "1 records will be tried again; try them now: python -m enrich once\n"
    assert command("enrich", "once").code == 1
    assert notes.tries().count(1) == 2 * MOST_ATTEMPTS
    antidote(notes.log).touch()
    run_once = command("enrich", "quarantine", "retry", "--key", notes.poison, "--json")
    assert json.loads(run_once.out) == {"retried": 1}
    assert command("enrich", "once").out == "enriched 1 records\n"
    assert notes.lacking() == []
    assert command("enrich", "quarantine", "list").out == "no record is quarantined\n"
    assert json.loads(command("enrich", "quarantine", "list", "--json").out) == []


def test_a_user_drops_a_quarantined_record(
    store: Store, database_url: str, command: Command, tmp_path: Path
) -> None:
    """Only when sure; then the record is gone, and its neighbours are not."""
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


def test_a_record_that_kills_its_workers_is_quarantined_alone(
    store: Store, command: Command, tmp_path: Path
) -> None:
    """Three deaths over four records, three over two, three over the one; then it is known."""
    notes = make_notes(store, tmp_path, "kill", local_worker_pids=3)
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
