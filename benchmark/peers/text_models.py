"""The models of sentences that peers serve: logistic regression on TF-IDF.

Usage: python -m benchmark.peers.text_models ROWS FOLDER

Fits the models on the labelled rows of an export, writes them into FOLDER, and prints the accuracy
of each in five folds, which are those of the web process's own models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from .text_predictors import (
    LABELS,
    LINEAR_GRAPH,
    TERMS,
    WHOLE_GRAPH,
    WORDS,
    WORDS_AND_CHARACTERS,
)

REGULARISATION, FOLDS = 10.0, 5
# As the default pattern of TfidfVectorizer, in the syntax of ONNX Runtime, whose \w is ASCII.
WORD_PATTERN = r"[\p{L}\p{N}_]{2,}"
# skl2onnx's default, en_US.UTF-8, is not installed everywhere.
LOCALE = "C.UTF-8"
OPSET, IR_VERSION = 17, 8


class LabelledSentences(NamedTuple):
    """Sentences, their labels, and the fold of each."""

    sentences: list[str]
    labels: list[str]
    folds: list[int]


def read_sentences(export: Path) -> LabelledSentences:
    """Read the labelled rows of an export."""
    rows = [json.loads(line) for line in export.read_text("utf-8").splitlines()]
    labelled = [row for row in rows if row["label"] is not None]
    return LabelledSentences(
        [row["inputs"]["sentence"] for row in labelled],
        [row["label"] for row in labelled],
        # As docs/how-it-works.md says.
        [int(row["key"], 16) % FOLDS for row in labelled],
    )


def new_words_model() -> Pipeline:
    """Return an unfitted model of words and pairs of words."""
    return make_pipeline(_word_features(), _classifier())


def new_words_and_characters_model() -> Pipeline:
    """Return an unfitted model of words, pairs of words, and two to five characters."""
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(make_union(_word_features(), characters), _classifier())


def _word_features() -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)


def _classifier() -> LogisticRegression:
    return LogisticRegression(C=REGULARISATION, max_iter=1000)


def whole_graph(model: Pipeline) -> Any:  # noqa: ANN401  of a package without types
    """Return a fitted model of words as a graph that takes texts."""
    from skl2onnx import to_onnx  # noqa: PLC0415
    from skl2onnx.common.data_types import StringTensorType  # noqa: PLC0415

    options = {
        id(model): {"zipmap": False},
        id(model[0]): {"tokenexp": WORD_PATTERN, "locale": LOCALE},
    }
    types = [("text", StringTensorType([None, 1]))]
    return to_onnx(model, initial_types=types, options=options)


def linear_graph(model: Pipeline) -> Any:  # noqa: ANN401  of a package without types
    """Return what follows the words of a fitted model as a graph, which reads few coefficients.

    It takes the numbers of the terms in a text, and 1 + log of how often each is there. Texts
    without known terms have no length to divide by.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    features, classifier = model
    constants = {
        "frequencies": features.idf_,
        "coefficients": classifier.coef_.T,
        "intercepts": classifier.intercept_,
        "least": np.array(1e-9),
    }
    nodes = [
        ("Gather", ["frequencies", "terms"], "factors"),
        ("Mul", ["factors", "weights"], "values"),
        ("ReduceL2", ["values"], "norm"),
        ("Max", ["norm", "least"], "length"),
        ("Gather", ["coefficients", "terms"], "chosen"),
        ("MatMul", ["values", "chosen"], "sums"),
        ("Div", ["sums", "length"], "scores"),
        ("Add", ["scores", "intercepts"], "logits"),
        ("Softmax", ["logits"], "probabilities"),
    ]
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, [output]) for operator, inputs, output in nodes],
        "words",
        [
            helper.make_tensor_value_info("terms", TensorProto.INT64, ["count"]),
            helper.make_tensor_value_info("weights", TensorProto.FLOAT, ["count"]),
        ],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
            for name, array in constants.items()
        ],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def write_models(rows: LabelledSentences, folder: Path) -> None:
    """Fit the models, and write them as pipelines and as graphs."""
    words = new_words_model().fit(rows.sentences, rows.labels)
    both = new_words_and_characters_model().fit(rows.sentences, rows.labels)
    joblib.dump(words, folder / WORDS)
    joblib.dump(both, folder / WORDS_AND_CHARACTERS)
    labels = list(map(str, words.classes_))
    terms = list(map(str, words[0].get_feature_names_out()))
    _write_graph(whole_graph(words), folder / WHOLE_GRAPH, {LABELS: labels})
    _write_graph(linear_graph(words), folder / LINEAR_GRAPH, {LABELS: labels, TERMS: terms})


def _write_graph(graph: Any, file: Path, metadata: dict[str, list[str]]) -> None:  # noqa: ANN401
    from onnx import helper  # noqa: PLC0415

    helper.set_model_props(graph, {name: json.dumps(value) for name, value in metadata.items()})
    file.write_bytes(graph.SerializeToString())


def accuracy(model: Pipeline, rows: LabelledSentences) -> float:
    """Return the accuracy of a model on rows that it was not fitted on."""
    split = PredefinedSplit(rows.folds)
    scores = cross_val_score(model, rows.sentences, rows.labels, cv=split, n_jobs=-1)
    # Folds differ in size.
    return float(np.average(scores, weights=np.bincount(rows.folds)))


def main() -> None:
    """Fit and write the models, and print their accuracies."""
    rows, folder = read_sentences(Path(sys.argv[1])), Path(sys.argv[2])
    write_models(rows, folder)
    words = accuracy(new_words_model(), rows)
    both = accuracy(new_words_and_characters_model(), rows)
    graphs = dict.fromkeys((WORDS, WHOLE_GRAPH, LINEAR_GRAPH), words)
    print(json.dumps(graphs | {WORDS_AND_CHARACTERS: both}))


if __name__ == "__main__":
    main()
