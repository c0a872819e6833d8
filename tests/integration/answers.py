"""Store a teacher's prediction for a test."""

from __future__ import annotations

from db.records.dataset import find_dataset
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import Answer, encode_answer
from db.store.store import Store

TAUGHT = "une phrase que le professeur connaît"


def teach(store: Store, sentence: str = TAUGHT) -> None:
    """Store a teacher's prediction for a sentence, as a worker does."""
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
        prediction = Prediction(key, encode_answer(answer), "of the tests", "purchase", 1.0)
        write_predictions(connection, dataset.id, [prediction])
