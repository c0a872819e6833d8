"""Tests of the labels that people give: what they replace, and what replaces them."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import select, update

from db.errors import InputError, LabelRefused, UnknownRecord
from db.files.exporter import export_csv, export_rows
from db.files.importer import ImportResult, import_files
from db.ingestion.row import RowCounts
from db.labels.record_label import (
    count_labels_given,
    give_label,
    mark_unsure,
    remove_label,
    undo_label,
)
from db.records.dataset import Dataset
from db.records.observation import count_labels, has_uncounted_labels, labels_between
from db.records.record_detail import read_record_detail
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.store import tables
from db.store.store import Store
from tests.conftest import register

State: TypeAlias = tuple[str | None, dict[str, int]]

FIELDS: dict[str, Any] = {"text": TextField()}


@pytest.fixture
def mails(store: Store) -> Dataset:
    """Return a dataset without an id column."""
    spec = DatasetSpec(
        name="mails",
        kind="classification",
        target="kind",
        fields=FIELDS,
        labels=("eggs", "ham", "spam"),
    )
    return register(store, spec)


@pytest.fixture
def numbered_mails(store: Store) -> Dataset:
    """Return a dataset whose rows have an id."""
    spec = DatasetSpec(
        name="numbered", kind="classification", target="kind", id="mail", fields=FIELDS
    )
    return register(store, spec)


def load(
    store: Store, dataset: Dataset, folder: Path, *rows: str, add: bool = False
) -> ImportResult:
    """Write rows below the dataset's header into a file, and import it."""
    path = folder / "mails.csv"
    header = "mail,text,kind" if dataset.spec.id else "text,kind"
    path.write_text("\n".join([header, *rows]), "utf-8")
    return import_files(store, dataset, [path], add=add)


def key_of(dataset: Dataset, text: str = "hello") -> bytes:
    """Return the key of a mail."""
    return dataset.spec.key({"text": text})


def give(
    store: Store, dataset: Dataset, label: str, author: str = "ann", text: str = "hello"
) -> int:
    """Give a mail a label."""
    return store.write(lambda c: give_label(c, dataset, key_of(dataset, text), label, author))


def state(store: Store, dataset: Dataset, text: str = "hello") -> State:
    """Return the label of a mail, and its current labels with their counts."""
    with store.reading() as connection:
        detail = read_record_detail(connection, dataset, key_of(dataset, text))
        return detail.label, dict(detail.labels)


def history(store: Store) -> list[tuple[str | None, int | None]]:
    """Return the label of each observation, and which one has replaced it."""
    with store.reading() as connection:
        rows = tables.observation.c
        query = select(rows.label, rows.replaced_by).order_by(rows.id)
        return [(label, replaced_by) for label, replaced_by in connection.execute(query)]


def test_a_label_replaces_what_the_file_said_and_keeps_it_as_history(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """Training and metrics count the new label alone, and a shown label issue is gone."""
    load(store, mails, tmp_path, "hello,spam", "hello,spam", "hello,ham")
    with store.writing() as connection:
        connection.execute(update(tables.record).values(issue=True))
    given = give(store, mails, " ham ")
    assert state(store, mails) == ("ham", {"ham": 1})
    assert history(store) == [("ham", given), ("spam", given), ("spam", given), ("ham", None)]
    with store.reading() as connection:
        assert read_record_detail(connection, mails, key_of(mails)).issue is None
        assert count_labels(connection, mails.id) == 1
        assert list(labels_between(connection, mails.id, 0, 99).values()) == [["ham"]]
        assert not has_uncounted_labels(connection, mails.id)


def test_undo_gives_back_what_the_label_replaced(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """A label can be undone by the person who gave it, as long as it is the newest."""
    load(store, mails, tmp_path, "hello,spam")
    first = give(store, mails, "ham")
    second = give(store, mails, "spam")
    with pytest.raises(LabelRefused, match="newer label"):
        store.write(lambda c: undo_label(c, mails, first, "ann"))
    with pytest.raises(LabelRefused, match="ann gave this label"):
        store.write(lambda c: undo_label(c, mails, second, "bob"))
    with pytest.raises(LabelRefused, match="came with the data"):
        store.write(lambda c: undo_label(c, mails, first - 1, "ann"))
    assert store.write(lambda c: undo_label(c, mails, second, "ann")) == key_of(mails)
    assert state(store, mails) == ("ham", {"ham": 1})
    store.write(lambda c: undo_label(c, mails, first, "ann"))
    assert state(store, mails) == ("spam", {"spam": 1})
    with pytest.raises(LabelRefused, match="no longer there"):
        store.write(lambda c: undo_label(c, mails, first, "ann"))


def test_a_label_can_be_removed_and_the_removal_undone(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """A label after a removal replaces the removal too, so that undoing it restores that."""
    load(store, mails, tmp_path, "hello,spam")
    removed = store.write(lambda c: remove_label(c, mails, key_of(mails), "ann"))
    assert state(store, mails) == (None, {})
    given = give(store, mails, "ham")
    assert state(store, mails) == ("ham", {"ham": 1})
    store.write(lambda c: undo_label(c, mails, given, "ann"))
    assert state(store, mails) == (None, {})
    assert load(store, mails, tmp_path, "hello,spam").counts == RowCounts(unchanged=1)
    assert state(store, mails) == (None, {})
    store.write(lambda c: undo_label(c, mails, removed, "ann"))
    assert state(store, mails) == ("spam", {"spam": 1})


def test_not_sure_replaces_nothing_and_only_labels_of_people_are_counted(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """The count since a model was made says when training again is worth it."""
    load(store, mails, tmp_path, "hello,spam")
    store.write(lambda c: mark_unsure(c, mails, key_of(mails), "ann"))
    assert state(store, mails) == ("spam", {"spam": 1})
    before = time.time()
    give(store, mails, "ham")
    give(store, mails, "spam")
    with store.reading() as connection:
        detail = read_record_detail(connection, mails, key_of(mails))
        counts = [count_labels_given(connection, mails.id, at) for at in (before, time.time())]
    assert [(row.label, row.author, row.is_unsure) for row in detail.observations] == [
        ("spam", "ann", False),
        ("ham", "ann", False),
        (None, "ann", True),
        ("spam", None, False),
    ]
    assert [row.is_replaced for row in detail.observations] == [False, True, False, True]
    assert counts == [1, 0]


def test_a_label_that_the_spec_refuses_and_an_unknown_record_are_errors(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """Nothing is written then."""
    load(store, mails, tmp_path, "hello,spam")
    with pytest.raises(InputError, match="one of eggs, ham, spam"):
        give(store, mails, "tea")
    with pytest.raises(InputError, match="is missing"):
        give(store, mails, " ")
    with pytest.raises(UnknownRecord):
        store.write(lambda c: give_label(c, mails, bytes(16), "ham", "ann"))
    assert history(store) == [("spam", None)]


@pytest.mark.parametrize("own", ["", "1,"])
def test_a_label_stays_until_the_file_brings_a_newer_one(
    store: Store, mails: Dataset, numbered_mails: Dataset, tmp_path: Path, own: str
) -> None:
    """With row ids the row is changed in its place, and without them it is another row."""
    dataset = numbered_mails if own else mails
    load(store, dataset, tmp_path, f"{own}hello,spam")
    give(store, dataset, "ham")
    for _ in range(2):
        again = load(store, dataset, tmp_path, f"{own}hello,spam")
        assert again.counts == RowCounts(unchanged=1)
        assert state(store, dataset) == ("ham", {"ham": 1})
    load(store, dataset, tmp_path, f"{own}hello,eggs")
    assert state(store, dataset) == ("eggs", {"eggs": 1})
    give(store, dataset, "ham")
    load(store, dataset, tmp_path, f"{own}hello,ham")
    assert state(store, dataset) == ("ham", {"ham": 1})


def test_a_new_row_of_the_file_makes_all_its_rows_count_again(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """A file with fewer rows brings nothing new."""
    load(store, mails, tmp_path, "hello,spam", "hello,spam", "hello,spam")
    give(store, mails, "ham")
    load(store, mails, tmp_path, "hello,spam", "hello,spam")
    assert state(store, mails) == ("ham", {"ham": 1})
    load(store, mails, tmp_path, "hello,spam", "hello,spam", "hello,eggs")
    assert state(store, mails) == ("spam", {"spam": 2, "eggs": 1})
    load(store, mails, tmp_path, "hello,spam", "hello,spam")
    assert state(store, mails) == ("spam", {"spam": 2})


def test_an_added_row_is_newer_than_a_label_but_brings_no_replaced_row_back(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """It says nothing about the rows of the file that the person corrected."""
    load(store, mails, tmp_path, "hello,spam")
    give(store, mails, "ham")
    load(store, mails, tmp_path, "hello,eggs", add=True)
    assert state(store, mails) == ("eggs", {"eggs": 1})


def test_a_row_that_moves_to_other_inputs_counts_there(
    store: Store, numbered_mails: Dataset, tmp_path: Path
) -> None:
    """The person's label stays with the inputs that the person saw."""
    load(store, numbered_mails, tmp_path, "1,hello,spam")
    give(store, numbered_mails, "ham")
    load(store, numbered_mails, tmp_path, "1,goodbye,spam")
    assert state(store, numbered_mails) == ("ham", {"ham": 1})
    assert state(store, numbered_mails, "goodbye") == ("spam", {"spam": 1})


def test_a_label_counts_again_if_the_row_that_replaced_it_leaves_the_file(
    store: Store, numbered_mails: Dataset, tmp_path: Path
) -> None:
    """Undoing it then deletes the record, since no row has these inputs any more."""
    load(store, numbered_mails, tmp_path, "1,hello,spam")
    given = give(store, numbered_mails, "ham")
    load(store, numbered_mails, tmp_path, "1,hello,eggs")
    load(store, numbered_mails, tmp_path, "1,goodbye,eggs")
    assert state(store, numbered_mails) == ("ham", {"ham": 1})
    store.write(lambda c: undo_label(c, numbered_mails, given, "ann"))
    with pytest.raises(UnknownRecord):
        state(store, numbered_mails)


def test_an_export_has_the_label_that_counts_for_each_row(
    store: Store, numbered_mails: Dataset, tmp_path: Path
) -> None:
    """Importing it again keeps the labels of people; what they said is beside it as history."""
    rows = ["1,hello,spam", "2,hello,eggs", "3,bye,", "4,hi,spam"]
    load(store, numbered_mails, tmp_path, *rows)
    give(store, numbered_mails, "ham")
    give(store, numbered_mails, "eggs", text="bye")
    out = io.StringIO()
    export_csv(store, numbered_mails, out)
    lines = sorted(line.split(",key")[0] for line in out.getvalue().splitlines()[1:])
    assert [line.split(",")[:3] for line in lines] == [
        ["1", "hello", "ham"],
        ["2", "hello", "ham"],
        ["3", "bye", "eggs"],
        ["4", "hi", "spam"],
    ]
    exported = {one["inputs"]["text"]: one for one in export_rows(store, numbered_mails)}
    said = exported["hello"]["history"]
    assert [(one["label"], one["author"], one["is_replaced"]) for one in said] == [
        ("ham", "ann", False)
    ]
    (tmp_path / "again.csv").write_text(out.getvalue(), "utf-8")
    import_files(store, numbered_mails, [tmp_path / "again.csv"])
    assert state(store, numbered_mails) == ("ham", {"ham": 2})


def test_of_two_people_at_once_the_later_one_replaces_the_other(
    store: Store, mails: Dataset, tmp_path: Path
) -> None:
    """Exactly one label counts, and the other is history."""
    load(store, mails, tmp_path, "hello,spam")
    with ThreadPoolExecutor(4) as pool:
        authors = ["ann", "bob", "cat", "dan"]
        given = list(pool.map(lambda author: give(store, mails, "ham", author), authors))
    assert state(store, mails) == ("ham", {"ham": 1})
    rows = dict(zip(sorted(given), history(store)[1:], strict=True))
    assert [one for one, (_, replaced_by) in rows.items() if replaced_by is None] == [max(given)]
