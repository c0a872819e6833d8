"""A Flask application, for gunicorn."""

from __future__ import annotations

import os
from typing import Any

import joblib
from flask import Flask, request

from .peer_model import answer

model = joblib.load(os.environ["PEER_MODEL"])
app = Flask(__name__)


@app.get("/predict/intents")
def predict() -> dict[str, Any]:
    """Return the prediction of the model."""
    return answer(model, request.args["sentence"])
