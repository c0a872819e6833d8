"""The models of a table as functions that predict one row.

Each library is imported only where its model is loaded, so that a peer's memory is that of its own
library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

# Takes a row's codes.
Predictor: TypeAlias = Callable[[Sequence[float]], float]

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
    return lambda codes: float(model.predict(np.array([codes]))[0])


def _load_lightgbm(file: Path) -> Predictor:
    import lightgbm  # noqa: PLC0415

    booster = lightgbm.Booster(model_file=file)
    return lambda codes: float(booster.predict(np.array([codes]))[0])


def _load_onnx(file: Path) -> Predictor:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    # On one core, threads would only wait for each other.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda codes: float(session.run(None, {"row": np.array([codes], np.float32)})[0][0, 0])
