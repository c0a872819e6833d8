"""The models of sentences as functions that predict.

Each library is imported only where its model is loaded, so that a peer's memory is that of its own
library.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .onnx_session import open_session

WORDS = "words.joblib"
WORDS_AND_CHARACTERS = "words_and_characters.joblib"
# The pipeline of WORDS as a graph, and only what follows the split into words.
WHOLE_GRAPH = "words.onnx"
LINEAR_GRAPH = "words_linear.onnx"
# Names in a graph's metadata.
LABELS, TERMS = "labels", "terms"

# As scikit-learn's TfidfVectorizer splits a text.
_words_of = re.compile(r"(?u)\b\w\w+\b").findall


@dataclass(frozen=True)
class TextPredictor:
    """A model: its labels, and a function from sentences to the probabilities of each label."""

    labels: list[str]
    predict: Callable[[list[str]], Sequence[Sequence[float]]]

    def answers(self, sentences: list[str]) -> list[dict[str, Any]]:
        """Return the response bodies for sentences."""
        return [self._answer(shares) for shares in self.predict(sentences)]

    def _answer(self, shares: Sequence[float]) -> dict[str, Any]:
        label = self.labels[shares.index(max(shares))]
        return {
            "prediction": label,
            "probabilities": dict(zip(self.labels, shares, strict=True)),
        }


def load_text_predictor(file: Path) -> TextPredictor:
    """Return the model in a file with one of the names above."""
    loaders = {WHOLE_GRAPH: _load_whole_graph, LINEAR_GRAPH: _load_linear_graph}
    return loaders.get(file.name, _load_pipeline)(file)


def _load_pipeline(file: Path) -> TextPredictor:
    import joblib  # noqa: PLC0415

    model = joblib.load(file)
    return TextPredictor(
        list(map(str, model.classes_)), lambda sentences: model.predict_proba(sentences).tolist()
    )


def _load_whole_graph(file: Path) -> TextPredictor:
    session = open_session(file)
    labels = json.loads(session.get_modelmeta().custom_metadata_map[LABELS])

    def predict_one(sentence: str) -> list[float]:
        shares: list[float] = session.run(["probabilities"], {"text": [[sentence]]})[0][0].tolist()
        return shares

    # A thousand at once would take 300 MiB: each is a vector with a number for each term.
    return TextPredictor(labels, lambda sentences: list(map(predict_one, sentences)))


def _load_linear_graph(file: Path) -> TextPredictor:
    session = open_session(file)
    metadata = session.get_modelmeta().custom_metadata_map
    numbers = {term: number for number, term in enumerate(json.loads(metadata[TERMS]))}

    def predict_one(sentence: str) -> list[float]:
        terms = Counter(filter(numbers.__contains__, terms_of(sentence)))
        inputs = {
            "terms": np.array([numbers[term] for term in terms], np.int64),
            "weights": np.array([1 + math.log(count) for count in terms.values()], np.float32),
        }
        shares: list[float] = session.run(None, inputs)[0].tolist()
        return shares

    labels = json.loads(metadata[LABELS])
    return TextPredictor(labels, lambda sentences: list(map(predict_one, sentences)))


def terms_of(sentence: str) -> Iterator[str]:
    """Yield the words of a sentence, and its pairs of neighbouring words."""
    words = _words_of(sentence.lower())
    yield from words
    yield from map(" ".join, pairwise(words))
