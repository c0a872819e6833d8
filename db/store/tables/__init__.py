"""The tables of the store."""

from db.store.direct.place import SCHEMA

from .base import metadata
from .labels import job, job_file, label_claim, outcome, served_answer
from .queue import (
    call_grant,
    chunk,
    fault,
    meter,
    pause,
    progress,
    quarantine,
    reading,
    response,
    run,
    worker,
)
from .records import (
    IS_CURRENT_LABEL,
    dataset,
    enrichment,
    import_position,
    model,
    observation,
    prediction,
    record,
    snapshot,
    submission,
)
from .version import version
from .web import generation, served, web_signal

__all__ = [
    "IS_CURRENT_LABEL",
    "SCHEMA",
    "call_grant",
    "chunk",
    "dataset",
    "enrichment",
    "fault",
    "generation",
    "import_position",
    "job",
    "job_file",
    "label_claim",
    "metadata",
    "meter",
    "model",
    "observation",
    "outcome",
    "pause",
    "prediction",
    "progress",
    "quarantine",
    "reading",
    "record",
    "response",
    "run",
    "served",
    "served_answer",
    "snapshot",
    "submission",
    "version",
    "web_signal",
    "worker",
]
