"""The tables of the store."""

from .base import metadata
from .content import dataset, enrichment, model, prediction, record, snapshot
from .web import generation, served, web_signal
from .work import (
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

# The migration that this code needs at least; migrations sort by their number.
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
