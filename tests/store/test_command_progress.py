"""What long commands tell a terminal while they work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from db.cli.terminal import progress_bar
from db.cli.terminal.colour import without_colours
from db.files.importer import import_files
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.commands.backlog_bar import BacklogBar
from tests.conftest import notes_spec, register
from tests.unit.db.terminal.screen import make_screen

ROWS = 30


def notes_file(folder: Path) -> Path:
    """Return a file of notes."""
    spec = notes_spec({})
    lines = [",".join([*spec.required, spec.target])]
    lines += [",".join([f"note {at}"] * len(spec.required) + ["yes"]) for at in range(ROWS)]
    path = folder / "notes.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_an_import_says_how_many_rows_there_are_before_it_writes_any(
    store: Store, tmp_path: Path
) -> None:
    """So that its bar has a total."""
    dataset = register(store, notes_spec({}))
    told: list[tuple[str, int]] = []
    import_files(
        store,
        dataset,
        [notes_file(tmp_path)],
        expect=lambda rows: told.append(("expected", rows)),
        progress=lambda rows: told.append(("done", rows)),
    )
    assert told == [("expected", ROWS), ("done", ROWS)]


def test_the_bar_of_once_counts_the_stale_records(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are counted once more when the first of them are done: the plan may have changed."""
    dataset = register(store, notes_spec({"language": EnricherSpec()}))
    import_files(store, dataset, [notes_file(tmp_path)])
    screen = make_screen(monkeypatch)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress_bar, "TERMINAL_SECONDS", 0.0)
    bar = BacklogBar(store, ("notes",))
    bar.prepare("looking for stale records")
    bar.start()
    bar.advance(0)
    bar.end()
    shown = without_colours(screen.getvalue())
    assert "enrich: looking for stale records" in shown
    assert f"] 0 of {ROWS} (starting)" in shown
    assert shown.endswith("\r\033[K")
