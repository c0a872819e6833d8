"""A Bottle application, on waitress or on Bottle's default server, wsgiref."""

from __future__ import annotations

import os
import sys
from typing import Any

import joblib
from bottle import Bottle, request

from .peer_model import answer

model = joblib.load(os.environ["PEER_MODEL"])
app = Bottle()


def predict() -> dict[str, Any]:
    """Return the prediction of the model."""
    return answer(model, request.query.sentence)


app.route("/predict/intents", "GET", predict)

if __name__ == "__main__":
    app.run(server=sys.argv[1], host="127.0.0.1", port=int(os.environ["PORT"]), quiet=True)
