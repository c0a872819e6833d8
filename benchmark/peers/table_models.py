"""The models of a table that peers serve: boosted trees of three libraries.

Usage: python -m benchmark.peers.table_models FOLDER RMSE

Fits each with the fewest trees whose error on held-out rows is at most 2 % above RMSE, writes them
into FOLDER, and prints the number of trees of each.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from .table_data import CHOICE_COLUMNS, Row, held_out_rows, training_rows
from .table_predictors import HIST_GRADIENT_BOOSTING, LIGHTGBM, ONNX

Array: TypeAlias = npt.NDArray[Any]

# Errors within this factor of each other count as equal.
EQUAL_ERROR = 1.02
MOST_TREES, STEP = 600, 10
# The defaults of both libraries.
LEARNING_RATE, LEAVES = 0.1, 31


def main() -> None:
    """Fit the models and write them."""
    folder, most = Path(sys.argv[1]), float(sys.argv[2]) * EQUAL_ERROR
    trees = {
        HIST_GRADIENT_BOOSTING: _write_hist_gradient_boosting(folder, most),
        LIGHTGBM: _write_lightgbm(folder, most),
    }
    print(json.dumps(trees | {ONNX: trees[LIGHTGBM]}))


def _matrix(rows: list[Row]) -> tuple[Array, Array]:
    """Return the codes and the numbers to predict."""
    return np.array([row.codes for row in rows]), np.array([row.y for row in rows])


def fewest_trees(staged: Iterable[Array], truth: Array, most: float) -> int:
    """Return the number of trees, a multiple of STEP, whose error is the first below `most`.

    `staged` are the predictions after STEP trees, after twice as many, and so on. Raises ValueError
    if no error is low enough.
    """
    for number, predictions in enumerate(staged, 1):
        if math.sqrt(np.mean((predictions - truth) ** 2)) <= most:
            return number * STEP
    raise ValueError(f"{MOST_TREES} trees do not reach an error of {most:.3f}")


def _write_hist_gradient_boosting(folder: Path, most: float) -> int:
    def fit(trees: int) -> HistGradientBoostingRegressor:
        model = HistGradientBoostingRegressor(
            learning_rate=LEARNING_RATE,
            max_leaf_nodes=LEAVES,
            max_iter=trees,
            categorical_features=CHOICE_COLUMNS,
            early_stopping=False,
        )
        return model.fit(*_matrix(training_rows()))

    rows, truth = _matrix(held_out_rows())
    staged = islice(fit(MOST_TREES).staged_predict(rows), STEP - 1, None, STEP)
    trees = fewest_trees(staged, truth, most)
    joblib.dump(fit(trees), folder / HIST_GRADIENT_BOOSTING)
    return trees


def _write_lightgbm(folder: Path, most: float) -> int:
    # Needs a library of the system, libgomp, which not every machine has.
    import lightgbm  # noqa: PLC0415

    settings = {
        "objective": "regression",
        "learning_rate": LEARNING_RATE,
        "num_leaves": LEAVES,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(
        *_matrix(training_rows()), categorical_feature=CHOICE_COLUMNS, params={"verbose": -1}
    )
    booster = lightgbm.train(settings, data, MOST_TREES)
    rows, truth = _matrix(held_out_rows())
    steps = range(STEP, MOST_TREES + 1, STEP)
    staged = (np.asarray(booster.predict(rows, num_iteration=count)) for count in steps)
    trees = fewest_trees(staged, truth, most)
    booster.save_model(folder / LIGHTGBM, num_iteration=trees)
    _write_onnx(folder)
    return trees


def _write_onnx(folder: Path) -> None:
    """Convert the model of LightGBM that was written."""
    import lightgbm  # noqa: PLC0415
    import onnxmltools  # noqa: PLC0415
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415

    booster = lightgbm.Booster(model_file=folder / LIGHTGBM)
    types = [("row", FloatTensorType([None, booster.num_feature()]))]
    graph = onnxmltools.convert_lightgbm(booster, initial_types=types, zipmap=False)
    (folder / ONNX).write_bytes(graph.SerializeToString())


if __name__ == "__main__":
    main()
