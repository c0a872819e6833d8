"""A store with fields of every kind, row ids and several labels per record, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import Answer, encode_answer
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Inputs,
    IntegerField,
    NumberField,
    TextField,
)
from db.store.store import Store
from tests.conftest import make_store, register

ORDERS = DatasetSpec(
    name="orders",
    title="Orders of a shop",
    kind="classification",
    target="returned",
    id="order_no",
    id_column="Order No",
    fields={
        "colour": ChoiceField(choices=("red", "blue"), optional=True),
        "size": ChoiceField(choices=("S", "M"), strict=True, optional=True),
        "seller": ChoiceField(optional=True),
        "gift": BooleanField(optional=True),
        "price": NumberField(format="$1,234.5", column="The price"),
        "pieces": IntegerField(min=1, optional=True),
        "ordered": DateField(order="DMY", optional=True),
        "shipped": DatetimeField(optional=True),
        "seen": DatetimeField(order="epoch", optional=True),
        "note": TextField(optional=True),
    },
)
# A survey has a field for each question.
QUESTIONS = 119
SURVEY = DatasetSpec(
    name="survey",
    kind="regression",
    target="satisfaction",
    fields={f"question_{number}": NumberField(optional=True) for number in range(1, QUESTIONS + 1)},
)
BLUE: dict[str, object] = {
    "colour": "blue",
    "price": "$1,200.5",
    "ordered": "31/01/2024",
    "shipped": "2024-02-01T08:30:15",
}
RED: dict[str, object] = {"colour": "red", "price": 20}
ROWS = 250
# The values, the label and the row id.
Row: TypeAlias = tuple[dict[str, object], str | None, str | None]


def make_orders(folder: Path) -> str:
    """Make the store and return its URL."""
    url = f"sqlite:///{folder / 'orders.db'}"
    store = make_store(url)
    orders, survey = register(store, ORDERS), register(store, SURVEY)
    rows = [(BLUE, "yes" if at % 5 else "no", str(at)) for at in range(ROWS)]
    _add(store, orders, [*rows, (RED, None, "red 1")])
    answers: list[Row] = [({"question_1": 2.5}, str(640 + at), None) for at in range(6)]
    other: list[Row] = [({"question_1": 3}, label, None) for label in ("700", "701")]
    _add(store, survey, [*answers, *other])
    _teach(store, orders, orders.spec.read_inputs(BLUE))
    store.close()
    return url


def _add(store: Store, dataset: Dataset, rows: list[Row]) -> None:
    read = [
        (dataset.spec.read_inputs(raw), dataset.spec.read_label(label), row_id)
        for raw, label, row_id in rows
    ]
    new = [NewRow(dataset.spec.key(inputs), inputs, *rest) for inputs, *rest in read]
    with store.writing() as connection:
        add_rows(connection, dataset, new, "import")


def _teach(store: Store, dataset: Dataset, inputs: Inputs) -> None:
    """Store a teacher's prediction, as a worker does."""
    answer = Answer(
        dataset=dataset.name,
        prediction="yes",
        probabilities={"yes": 0.8, "no": 0.2},
        source="teacher",
        model=f"{dataset.name}@1",
        enrichment="done",
        warnings=(),
    )
    prediction = Prediction(dataset.spec.key(inputs), encode_answer(answer), "of tests", "yes", 0.8)
    with store.writing() as connection:
        write_predictions(connection, dataset.id, [prediction])
