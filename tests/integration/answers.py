"""Answers that a teacher has left in a store."""

from __future__ import annotations

from db.records.dataset import find_dataset
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import Answer, encode_answer
from db.store.store import Store

TAUGHT = "une phrase que le professeur connaît"


def teach(store: Store, sentence: str = TAUGHT) -> None:
    """Store a teacher's answer to a sentence."""
    answer = Answer(
        dataset="intents",
        prediction="purchase",
        probabilities={"purchase": 1.0},
        source="teacher",
        model="intents@1",
        enrichment="done",
        warnings=(),
    )
    with store.writing() as connection:
        dataset = find_dataset(connection, "intents")
        key = dataset.spec.key(dataset.spec.read_inputs({"sentence": sentence}))
        made = Prediction(key, encode_answer(answer), "of the tests", "purchase", 1.0)
        write_predictions(connection, dataset.id, [made])
