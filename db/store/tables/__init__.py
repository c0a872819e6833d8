"""The tables of the store."""

from .base import metadata
from .queue import (
    call_grant,
    chunk,
    meter,
    pause,
    progress,
    quarantine,
    reading,
    response,
    run,
    worker,
)
from .records import dataset, enrichment, model, prediction, record, snapshot
from .web import generation, served, web_signal

# The oldest migration that this code works with. Migrations are compared as text.
SCHEMA = "0005"

__all__ = [
    "SCHEMA",
    "call_grant",
    "chunk",
    "dataset",
    "enrichment",
    "generation",
    "metadata",
    "meter",
    "model",
    "pause",
    "prediction",
    "progress",
    "quarantine",
    "reading",
    "record",
    "response",
    "run",
    "served",
    "snapshot",
    "web_signal",
    "worker",
]
