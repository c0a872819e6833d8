"""The baseline: a Bottle route that returns a constant, on the web process's server settings."""

from __future__ import annotations

import os

import waitress
from bottle import Bottle, response
from granian import Granian
from granian.constants import Interfaces

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
    """Return the constant."""
    response.content_type = "application/json"
    return BODY


app.route("/predict/intents", "GET", predict)


def serve_by_waitress(port: int, threads: int) -> None:
    """Serve on waitress until SIGTERM."""
    waitress.serve(
        app,
        host="127.0.0.1",
        port=port,
        threads=threads,
        connection_limit=10_000,
        asyncore_use_poll=True,
        _quiet=True,
    )


def serve_by_granian(port: int, threads: int) -> None:
    """Serve on granian until SIGTERM; granian's worker process imports this module again."""
    Granian(
        "benchmark.peers.constant_app:app",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=threads,
        backlog=2048,
        respawn_failed_workers=True,
        workers_kill_timeout=25,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    serve = serve_by_granian if os.environ["SERVER"] == "granian" else serve_by_waitress
    serve(int(os.environ["PORT"]), int(os.environ["THREADS"]))
