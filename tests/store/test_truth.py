"""Tests of labels that are told after an answer was served, and of how the answers turned out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from db.errors import SubmissionRefused, ToldLabelsRefused
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.labels.record_label import give_label
from db.labels.told_label import ToldLabel
from db.labels.told_once import tell_labels_once
from db.labels.truth import TellCounts, tell_labels
from db.records.dataset import Dataset
from db.records.record import forget_record
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField, TextField
from db.store import tables
from db.store.store import Store
from db.traffic.served_answers import ServedAnswer, write_answers
from tests.conftest import ask, notes_spec, register

AUTHOR = "key 1"
THANKS, BILL = {"sentence": "merci"}, {"sentence": "la facture"}


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset of sentences without row ids."""
    return register(store, notes_spec({}))


@pytest.fixture
def numbered(store: Store) -> Dataset:
    """Return a dataset of sentences whose rows have ids."""
    spec = DatasetSpec(
        name="numbered",
        kind="classification",
        target="tone",
        id="number",
        fields={"sentence": TextField()},
    )
    return register(store, spec)


def serve(store: Store, dataset: Dataset, inputs: Any, request_id: str, **more: Any) -> float:  # noqa: ANN401
    """Record an answer as a web process does, and return when it was given."""
    answer: dict[str, Any] = {
        "request_id": request_id,
        "key": dataset.spec.key(inputs),
        "prediction": "warm",
        "score": 0.9,
        "source": "student",
        "model_version": 3,
        "made_at": time.time() - 60,
    }
    made = ServedAnswer(**answer | more)
    store.write(partial(write_answers, dataset_id=dataset.id, answers=[made]))
    return made.made_at


def asked(store: Store, dataset: Dataset, inputs: Any) -> None:  # noqa: ANN401
    """Record unseen inputs as a web process does."""
    with store.writing() as connection:
        ask(connection, dataset.id, [NewRow(dataset.spec.key(inputs), inputs)])


def tell(store: Store, dataset: Dataset, *items: ToldLabel) -> TellCounts:
    """Tell labels."""
    return store.write(partial(tell_labels, dataset=dataset, items=items, author=AUTHOR))


def outcomes(store: Store) -> list[tuple[str, str, int]]:
    """Return prediction, label and version of all outcomes."""
    columns = tables.outcome.c
    query = select(columns.prediction, columns.label, columns.model_version)
    with store.reading() as connection:
        return sorted(tuple(row) for row in connection.execute(query))


def record_label(store: Store, inputs: Any, dataset: Dataset) -> str | None:  # noqa: ANN401
    """Return the label of the record with these inputs."""
    query = select(tables.record.c.label).where(tables.record.c.key == dataset.spec.key(inputs))
    with store.reading() as connection:
        label: str | None = connection.execute(query).scalar_one()
    return label


def add(store: Store, dataset: Dataset, *rows: tuple[Any, str | None, str | None]) -> None:
    """Import rows: inputs, label and row id."""
    new = [NewRow(dataset.spec.key(inputs), inputs, label, at) for inputs, label, at in rows]
    store.write(partial(add_rows, dataset=dataset, rows=new, origin="import"))


def faults(store: Store, dataset: Dataset, items: Sequence[ToldLabel]) -> dict[int, str]:
    """Return what is wrong with labels that cannot be told, by place."""
    with pytest.raises(ToldLabelsRefused) as refused:
        tell(store, dataset, *items)
    return {at: str(fault) for at, fault in refused.value.faults.items()}


def test_the_label_of_a_request_judges_the_answer_to_that_request(
    store: Store, notes: Dataset
) -> None:
    """A newer answer for the same inputs is not judged by it."""
    asked(store, notes, THANKS)
    serve(store, notes, THANKS, "r1", prediction="cold", model_version=2)
    serve(store, notes, THANKS, "r2", made_at=time.time() - 5)
    counts = tell(store, notes, ToldLabel("warm", request_id="r1"))
    assert counts == TellCounts(added=1, judged=1)
    assert outcomes(store) == [("cold", "warm", 2)]
    assert record_label(store, THANKS, notes) == "warm"


def test_labels_of_requests_stand_beside_each_other_and_telling_one_again_corrects_it(
    store: Store, notes: Dataset
) -> None:
    """Each request is an event of its own."""
    asked(store, notes, THANKS)
    for name in ("r1", "r2", "r3"):
        serve(store, notes, THANKS, name)
    items = [ToldLabel("warm", request_id=name) for name in ("r1", "r2", "r3")]
    assert tell(store, notes, *items) == TellCounts(added=3, judged=3)
    assert tell(store, notes, *items) == TellCounts(unchanged=3)
    again = [ToldLabel("cold", request_id=name) for name in ("r1", "r2")]
    assert tell(store, notes, *again) == TellCounts(corrected=2, judged=2)
    assert outcomes(store) == [("warm", "cold", 3), ("warm", "cold", 3), ("warm", "warm", 3)]
    assert record_label(store, THANKS, notes) == "cold"


def test_inputs_that_are_not_in_the_store_become_a_record(store: Store, notes: Dataset) -> None:
    """As with POST /records; their newest answer is judged."""
    serve(store, notes, THANKS, "r1", prediction="cold", made_at=time.time() - 90)
    serve(store, notes, THANKS, "r2")
    items = ToldLabel("warm", inputs=THANKS), ToldLabel("cold", inputs=BILL)
    assert tell(store, notes, *items) == TellCounts(added=2, records=2, judged=1)
    assert outcomes(store) == [("warm", "warm", 3)]
    assert tell(store, notes, *items) == TellCounts(unchanged=2)
    assert record_label(store, BILL, notes) == "cold"


def test_the_label_of_inputs_replaces_the_labels_of_their_record(
    store: Store, notes: Dataset
) -> None:
    """An answer counts once, by its newest label."""
    add(store, notes, (THANKS, "cold", None), (THANKS, "cold", None))
    serve(store, notes, THANKS, "r1")
    assert tell(store, notes, ToldLabel("cold", inputs=THANKS)).judged == 1
    assert tell(store, notes, ToldLabel("warm", inputs=THANKS)).judged == 1
    assert record_label(store, THANKS, notes) == "warm"
    assert outcomes(store) == [("warm", "warm", 3)]


def test_the_label_of_a_row_leaves_the_other_rows_of_its_record(
    store: Store, numbered: Dataset
) -> None:
    """Telling it again changes it, and telling the same changes nothing."""
    add(store, numbered, *[(THANKS, "cold", str(at)) for at in range(3)])
    serve(store, numbered, THANKS, "r1")
    assert tell(store, numbered, ToldLabel("warm", row_id="0")) == TellCounts(added=1, judged=1)
    assert record_label(store, THANKS, numbered) == "cold"
    assert tell(store, numbered, ToldLabel("warm", row_id="0")) == TellCounts(unchanged=1)
    assert tell(store, numbered, ToldLabel("warm", row_id="1")).added == 1
    assert record_label(store, THANKS, numbered) == "warm"
    assert tell(store, numbered, ToldLabel("cold", row_id="0")).added == 1
    assert record_label(store, THANKS, numbered) == "cold"
    assert len(outcomes(store)) == 2


def test_the_label_of_a_row_replaces_a_persons_label_for_that_row_alone(
    store: Store, numbered: Dataset
) -> None:
    """The person's label goes on standing for the other rows."""
    add(store, numbered, (THANKS, "cold", "1"), (THANKS, "cold", "2"))
    key = numbered.spec.key(THANKS)
    give = partial(give_label, dataset=numbered, key=key, label="warm", author="me")
    store.write(give)
    assert tell(store, numbered, ToldLabel("dry", row_id="1")).added == 1
    query = select(tables.observation.c.label).where(tables.IS_CURRENT_LABEL)
    with store.reading() as connection:
        assert sorted(connection.execute(query).scalars()) == ["dry", "warm"]


def test_what_cannot_be_told_is_named_and_nothing_is_kept(store: Store, numbered: Dataset) -> None:
    """Each fault says what to do."""
    serve(store, numbered, BILL, "r1")
    serve(store, numbered, THANKS, "r2")
    found = faults(
        store,
        numbered,
        [
            ToldLabel("warm", inputs=THANKS),
            ToldLabel("warm", row_id="9"),
            ToldLabel("warm", request_id="r9"),
            ToldLabel("warm", request_id="r1"),
            ToldLabel("warm", request_id="r2", inputs=BILL),
        ],
    )
    assert sorted(found) == [1, 2, 3, 4]
    assert "number: numbered has no row with the number '9'; import the row" in found[1]
    assert "no answer was recorded under this request id" in found[2]
    assert "send the inputs instead" in found[2]
    assert "send them too, beside request_id" in found[3]
    assert "was for other inputs" in found[4]
    assert outcomes(store) == []
    with store.reading() as connection:
        assert connection.execute(select(tables.record)).all() == []


def test_a_request_id_with_its_inputs_can_always_be_told(store: Store, notes: Dataset) -> None:
    """Also where the answer was not recorded; then the newest answer is judged."""
    serve(store, notes, BILL, "r1", prediction="cold")
    items = [ToldLabel("warm", request_id=name, inputs=BILL) for name in ("r1", "r7")]
    assert tell(store, notes, *items) == TellCounts(added=2, records=1, judged=2)
    assert outcomes(store) == [("cold", "warm", 3), ("cold", "warm", 3)]


def test_one_request_id_does_not_change_the_label_of_other_inputs(
    store: Store, notes: Dataset
) -> None:
    """Clients choose ids, and may choose one twice: its answers need not have been recorded."""
    first = ToldLabel("warm", request_id="1", inputs=THANKS)
    second = ToldLabel("cold", request_id="1", inputs=BILL)
    together = faults(store, notes, [first, second])
    assert list(together) == [1]
    tell(store, notes, first)
    assert "told for other inputs" in faults(store, notes, [second])[0]
    assert record_label(store, THANKS, notes) == "warm"
    assert tell(store, notes, ToldLabel("cold", request_id="1", inputs=THANKS)).corrected == 1


def test_of_several_labels_for_the_same_inputs_in_a_request_the_last_one_judges(
    store: Store, notes: Dataset
) -> None:
    """The others are replaced at once, and their answer counts once."""
    asked(store, notes, THANKS)
    serve(store, notes, THANKS, "r1")
    tell(store, notes, *[ToldLabel(label, inputs=THANKS) for label in ("warm", "cold", "mild")])
    assert outcomes(store) == [("warm", "mild", 3)]


def test_the_first_answer_under_a_request_id_stays(store: Store, notes: Dataset) -> None:
    """A client may choose the id, and must not change what another client was told."""
    asked(store, notes, THANKS)
    serve(store, notes, THANKS, "r1")
    serve(store, notes, BILL, "r1", prediction="cold")
    tell(store, notes, ToldLabel("warm", request_id="r1"))
    assert outcomes(store) == [("warm", "warm", 3)]


def test_a_request_with_an_idempotency_key_tells_its_labels_once(
    store: Store, notes: Dataset
) -> None:
    """The same request gets the same counts; the key with another body is refused."""
    serve(store, notes, THANKS, "r1")
    items = [ToldLabel("warm", inputs=THANKS)]
    once = partial(tell_labels_once, dataset=notes, items=items, author=AUTHOR, idempotency_key="k")
    told = TellCounts(added=1, records=1, judged=1)
    assert store.write(partial(once, body=b"1")) == told
    assert store.write(partial(once, body=b"1")) == told
    with pytest.raises(SubmissionRefused, match="another body"):
        store.write(partial(once, body=b"2"))


def test_the_number_of_a_regression_is_judged_too(store: Store) -> None:
    """Labels are told in the form in which they are stored."""
    spec = DatasetSpec(
        name="rents", kind="regression", target="rent", fields={"area": NumberField()}
    )
    rents = register(store, spec)
    serve(store, rents, {"area": 40.0}, "r1", prediction="612.5", score=612.5)
    tell(store, rents, ToldLabel("600.0", inputs={"area": 40.0}))
    assert outcomes(store) == [("612.5", "600.0", 3)]


def test_a_deleted_record_takes_its_outcomes_with_it(store: Store, notes: Dataset) -> None:
    """Who deletes a record deletes everything derived from it."""
    serve(store, notes, THANKS, "r1")
    tell(store, notes, ToldLabel("warm", inputs=THANKS))
    store.write(partial(forget_record, dataset_id=notes.id, key=notes.spec.key(THANKS)))
    assert outcomes(store) == []
