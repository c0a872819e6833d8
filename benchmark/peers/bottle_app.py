"""Bottle as people deploy it, on waitress or on the server that it brings."""

from __future__ import annotations

import os
import sys
from typing import Any

import joblib
from bottle import Bottle, request

from .model import answer

model = joblib.load(os.environ["PEER_MODEL"])
app = Bottle()


def predict() -> dict[str, Any]:
    """Answer with the model."""
    return answer(model, request.query.sentence)


app.route("/predict/intents", "GET", predict)

if __name__ == "__main__":
    app.run(server=sys.argv[1], host="127.0.0.1", port=int(os.environ["PORT"]), quiet=True)
