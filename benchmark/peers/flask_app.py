"""A Flask application that serves one of the models of text_models, for gunicorn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask, request

from .text_predictors import load_text_predictor

predictor = load_text_predictor(Path(os.environ["PEER_MODEL"]))
app = Flask(__name__)


@app.get("/predict/intents")
def predict() -> dict[str, Any]:
    """Return the prediction of the model."""
    [answer] = predictor.answers([request.args["sentence"]])
    return answer
