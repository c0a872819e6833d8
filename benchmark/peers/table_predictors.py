"""The models of a table as functions that predict rows.

Each library is imported only where its model is loaded, so that a peer's memory is that of its own
library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from .onnx_session import open_session

# Takes the codes of each row.
Predictor: TypeAlias = Callable[[Sequence[Sequence[float]]], list[float]]

HIST_GRADIENT_BOOSTING = "hist_gradient_boosting.joblib"
LIGHTGBM = "lightgbm.txt"
ONNX = "lightgbm.onnx"


def load_predictor(file: Path) -> Predictor:
    """Return the model in a file with one of the names above."""
    loaders = {
        HIST_GRADIENT_BOOSTING: _load_hist_gradient_boosting,
        LIGHTGBM: _load_lightgbm,
        ONNX: _load_onnx,
    }
    return loaders[file.name](file)


def _load_hist_gradient_boosting(file: Path) -> Predictor:
    import joblib  # noqa: PLC0415

    model = joblib.load(file)
    return lambda rows: np.asarray(model.predict(np.array(rows))).tolist()


def _load_lightgbm(file: Path) -> Predictor:
    import lightgbm  # noqa: PLC0415

    booster = lightgbm.Booster(model_file=file)
    return lambda rows: np.asarray(booster.predict(np.array(rows))).tolist()


def _load_onnx(file: Path) -> Predictor:
    session = open_session(file)

    def predict(rows: Sequence[Sequence[float]]) -> list[float]:
        numbers: list[float] = (
            session.run(None, {"row": np.array(rows, np.float32)})[0].ravel().tolist()
        )
        return numbers

    return predict
