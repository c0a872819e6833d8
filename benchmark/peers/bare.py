"""The floor: a Bottle route that returns a constant, on waitress, set up as ours is."""

from __future__ import annotations

import os

import waitress
from bottle import Bottle, response

LABELS = [
    "purchase",
    "find-restaurant",
    "irrelevant",
    "find-hotel",
    "provide-showtimes",
    "find-around-me",
    "find-train",
    "find-flight",
]
PROBABILITIES = ",".join(f'"{label}":0.123456' for label in LABELS)
BODY = (
    f'{{"dataset":"intents","prediction":"find-train","probabilities":{{{PROBABILITIES}}},'
    '"source":"teacher","model":"intents@1","enrichment":"done","warnings":[]}'
).encode()

app = Bottle()


def predict() -> bytes:
    """Return the same as ever."""
    response.content_type = "application/json"
    return BODY


app.route("/predict/intents", "GET", predict)

if __name__ == "__main__":
    waitress.serve(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        threads=int(os.environ["THREADS"]),
        connection_limit=10_000,
        asyncore_use_poll=True,
        _quiet=True,
    )
