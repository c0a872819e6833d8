"""Tests of `python -m db label`, run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable

import click
import pytest

from db.cli.label import label
from db.errors import InputError, UnknownRecord, UnknownRow
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.record_detail import RecordDetail, read_record_detail
from tests.conftest import make_store, register
from tests.hand_made_student import RENTS

INPUTS = RENTS.read_inputs({"area": 40, "town": "Paris"})
KEY = RENTS.key(INPUTS)


@pytest.fixture
def read_record(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], RecordDetail]:
    """Make a store with one row that commands use; return a function that reads its record."""
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("LOGNAME", "ann")
    store = make_store(sqlite_url)
    dataset = register(store, RENTS)
    with store.writing() as connection:
        add_rows(connection, dataset, [NewRow(KEY, INPUTS, "640.0", "7")], "import")

    def read() -> RecordDetail:
        with store.reading() as connection:
            return read_record_detail(connection, dataset, KEY)

    return read


def run(*arguments: str) -> None:
    """Run the command; its errors are raised."""
    label.main(list(arguments), standalone_mode=False)


def test_a_record_is_labelled_by_its_key_or_a_row(
    read_record: Callable[[], RecordDetail], capsys: pytest.CaptureFixture[str]
) -> None:
    """The author is the user who runs it."""
    run("rents", KEY.hex(), "700")
    assert capsys.readouterr().out == f"rents {KEY.hex()}: 700\n"
    assert (read_record().label, read_record().observations[0].author) == ("700.0", "ann")
    run("rents", "--row", "7", "710", "--json")
    done = json.loads(capsys.readouterr().out)
    newest = read_record().observations[0]
    assert done == {"key": KEY.hex(), "label": "710", "observation": newest.id}
    run("rents", KEY.hex(), "--unsure")
    assert read_record().label == "710.0"
    run("rents", "--row", "7", "--remove")
    assert read_record().label is None
    assert capsys.readouterr().out.endswith(": label removed\n")


def test_wrong_arguments_change_nothing(read_record: Callable[[], RecordDetail]) -> None:
    """The error says what to give."""
    key = KEY.hex()
    with pytest.raises(click.UsageError, match="give KEY and LABEL after"):
        run("rents", key)
    with pytest.raises(click.UsageError, match="give LABEL after"):
        run("rents", "--row", "7", key, "700")
    with pytest.raises(click.UsageError, match="cannot be used together"):
        run("rents", key, "--remove", "--unsure")
    with pytest.raises(InputError, match="rent"):
        run("rents", key, "many")
    with pytest.raises(UnknownRow, match="no row with the id '8'"):
        run("rents", "--row", "8", "700")
    with pytest.raises(UnknownRecord, match="32 hex digits"):
        run("rents", "the first", "700")
    assert read_record().label == "640.0"
