"""The model of all peers: logistic regression on TF-IDF of words and characters.

Usage: python -m benchmark.peers.peer_model ROWS MODEL

Fits the model on the labelled rows of an export, writes it with joblib, and prints its accuracy in
five folds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline, make_union

REGULARISATION = 10.0


def new_model() -> Pipeline:
    """Return an unfitted model."""
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    return make_pipeline(features, LogisticRegression(C=REGULARISATION, max_iter=1000))


def answer(model: Any, sentence: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the prediction for a sentence as a response body."""
    shares = model.predict_proba([sentence])[0]
    pairs = zip(model.classes_, map(float, shares), strict=True)
    ranked = sorted(pairs, key=lambda pair: -pair[1])
    return {"prediction": ranked[0][0], "probabilities": dict(ranked)}


def main() -> None:
    """Cross-validate the model, fit it on all rows and write it."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    labelled = [row for row in rows if row["label"] is not None]
    sentences = [row["inputs"]["sentence"] for row in labelled]
    labels = [row["label"] for row in labelled]
    scores = cross_val_score(new_model(), sentences, labels, cv=5)
    print(f"{scores.mean():.3f}", flush=True)
    joblib.dump(new_model().fit(sentences, labels), sys.argv[2])


if __name__ == "__main__":
    main()
