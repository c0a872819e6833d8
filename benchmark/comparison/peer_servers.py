"""The peers of a comparison, each with the settings that are fastest for it on one core."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmark.peers.table_predictors import HIST_GRADIENT_BOOSTING, LIGHTGBM, ONNX
from benchmark.peers.text_predictors import LINEAR_GRAPH, WHOLE_GRAPH, WORDS, WORDS_AND_CHARACTERS
from benchmark.processes import call

from .harness import THREADS, ComparisonSetup, Server, StoreSetup

# More threads than cores take ten times as long, and BLAS has nothing to share out here.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
BINARIES = Path(sys.executable).parent
# The port is chosen at the start, and these take it only as an argument: a shell adds it.
UVICORN = f"exec {BINARIES}/uvicorn --port $PORT --no-access-log --loop uvloop --http httptools"
GUNICORN = f"exec {BINARIES}/gunicorn -b 127.0.0.1:$PORT"
TEXT_APP = f"{UVICORN} benchmark.peers.text_app:app"

FASTAPI_LINEAR_GRAPH = "FastAPI + ONNX Runtime, linear part"
FASTAPI_WHOLE_GRAPH = "FastAPI + ONNX Runtime, pipeline"
FASTAPI_WORDS = "FastAPI + scikit-learn, words"
FASTAPI_CHARACTERS = "FastAPI + scikit-learn, words and characters"
FLASK_CHARACTERS = "Flask + scikit-learn, words and characters"
# The command and the model of each peer that answers sentences.
TEXT_PEERS = {
    FASTAPI_LINEAR_GRAPH: (TEXT_APP, LINEAR_GRAPH),
    FASTAPI_WHOLE_GRAPH: (TEXT_APP, WHOLE_GRAPH),
    FASTAPI_WORDS: (TEXT_APP, WORDS),
    FASTAPI_CHARACTERS: (TEXT_APP, WORDS_AND_CHARACTERS),
    FLASK_CHARACTERS: (f"{GUNICORN} benchmark.peers.flask_app:app", WORDS_AND_CHARACTERS),
}

FASTAPI_TREES = "FastAPI + scikit-learn, trees"
TABLE_PEERS = {
    "FastAPI + ONNX Runtime, trees": ONNX,
    "FastAPI + LightGBM": LIGHTGBM,
    FASTAPI_TREES: HIST_GRADIENT_BOOSTING,
}


def constant_server(setup: StoreSetup, server: str = "waitress") -> Server:
    """Return a Bottle route that answers with a constant, as long as a prediction."""
    command = [sys.executable, "-m", "benchmark.peers.constant_app"]
    environment = {**setup.environment, "THREADS": THREADS, "SERVER": server}
    return Server("bare Bottle route", command, environment, "/predict/intents")


def text_peers(setup: ComparisonSetup) -> list[Server]:
    """Return the peers that answer sentences, whose models fit_text_peers has fitted."""
    first_path = setup.paths(1).read_text("ascii")
    return [
        _peer(setup, name, command, file, first_path)
        for name, (command, file) in TEXT_PEERS.items()
    ]


def table_peers(setup: StoreSetup, error: float, first_path: str) -> list[Server]:
    """Fit the peers' models of the table to our error, and return the peers."""
    trees = json.loads(
        call(setup.environment, "benchmark.peers.table_models", str(setup.folder), str(error))
    )
    print(f"  trees: {', '.join(f'{name} {count}' for name, count in trees.items())}", flush=True)
    command = f"{UVICORN} benchmark.peers.table_app:app"
    return [_peer(setup, name, command, file, first_path) for name, file in TABLE_PEERS.items()]


def _peer(setup: StoreSetup, name: str, command: str, file: str, ready: str) -> Server:
    model = {"PEER_MODEL": str(setup.folder / file)}
    environment = {**setup.environment, **ONE_THREAD, **model}
    return Server(name, ["sh", "-c", command], environment, ready)


def fit_text_peers(setup: ComparisonSetup) -> dict[str, float]:
    """Fit the peers' models, once for all parts, and return the accuracy of each peer.

    The accuracies and that of the web process's student are those of the same folds.
    """
    file = setup.folder / "accuracies.json"
    if not file.exists():
        arguments = (str(setup.rows), str(setup.folder))
        environment = {**setup.environment, **ONE_THREAD}
        file.write_text(call(environment, "benchmark.peers.text_models", *arguments), "utf-8")
    accuracies: dict[str, float] = json.loads(file.read_text("utf-8"))
    return {name: accuracies[model] for name, (_, model) in TEXT_PEERS.items()}


def print_accuracies(setup: ComparisonSetup) -> None:
    """Fit the peers' models, and print how accurate they and the web process's student are."""
    accuracies = {"Veilleuse": setup.accuracy, **fit_text_peers(setup)}
    for name, accuracy in accuracies.items():
        print(f"  {name:<44} accuracy {accuracy:.3f} out of fold", flush=True)
