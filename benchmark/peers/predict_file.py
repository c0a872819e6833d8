"""Predict the rows of a CSV file with scikit-learn and pandas, as a plain script does.

Usage: python -m benchmark.peers.predict_file fit TRAINING.csv TARGET MODEL
       python -m benchmark.peers.predict_file predict MODEL TABLE.csv OUT.csv

A table of numbers and words gets boosted trees, as many as given by the environment variable
TREES; a column `sentence` gets TF-IDF and logistic regression. It prints the rows per second.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import pandas as pd  # type: ignore[import-untyped]
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

CHUNK_ROWS = 20_000
SENTENCE = "sentence"


def main() -> None:
    """Fit a model, or predict with one."""
    if sys.argv[1] == "fit":
        table, target, model = sys.argv[2:]
        _fit(pd.read_csv(table), target, Path(model))
    else:
        _predict(*map(Path, sys.argv[2:]))


def _fit(table: pd.DataFrame, target: str, path: Path) -> None:
    inputs = table.drop(columns=target)
    model = _text_model() if SENTENCE in inputs else _table_model(inputs)
    used = inputs.get(SENTENCE, inputs)
    joblib.dump(model.fit(used, table[target]), path)


def _text_model() -> Any:  # noqa: ANN401  of a package without types
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)
    )


def _table_model(inputs: pd.DataFrame) -> Any:  # noqa: ANN401
    words = list(inputs.select_dtypes(exclude=["number", "bool"]))
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, words), remainder="passthrough")
    trees = int(os.environ.get("TREES", "100"))
    boosting = HistGradientBoostingRegressor(
        max_iter=trees, early_stopping=False, categorical_features=list(range(len(words)))
    )
    return make_pipeline(columns, boosting)


def _predict(model_path: Path, table: Path, out: Path) -> None:
    started = time.perf_counter()
    model = joblib.load(model_path)
    rows = 0
    with out.open("w", newline="") as file:
        for chunk in pd.read_csv(table, chunksize=CHUNK_ROWS):
            _add_predictions(model, chunk)
            chunk.to_csv(file, index=False, header=rows == 0)
            rows += len(chunk)
    seconds = time.perf_counter() - started
    print(f"{rows} rows, {rows / seconds:.0f} rows/s")


def _add_predictions(model: Any, chunk: pd.DataFrame) -> None:  # noqa: ANN401
    if SENTENCE not in chunk:
        chunk["prediction"] = model.predict(chunk)
        return
    shares = model.predict_proba(chunk[SENTENCE])
    chunk["prediction"] = model.classes_[shares.argmax(axis=1)]
    chunk["probability"] = shares.max(axis=1)


if __name__ == "__main__":
    main()
