"""The plan of a dataset: its enrichers in the order in which they can run."""

from __future__ import annotations

import graphlib
from collections.abc import Sequence

from db.answer import BODY_FORMAT
from db.dataset import Dataset, Step
from db.errors import EnricherError
from db.model import Model

from .enricher import find_enricher, fingerprint

PREDICTION = "prediction"


def make_plan(found: Dataset, model: Model | None, code_paths: Sequence[str]) -> tuple[Step, ...]:
    """Return today's steps, each after those that it reads; the prediction last.

    A step's fingerprint holds those of what it reads, so that whatever changes makes all that
    depends on it stale, and nothing else.
    """
    spec = found.spec
    enrichers = {name: find_enricher(spec, name, code_paths) for name in spec.enrichers}
    reads = {
        name: [read for read in enricher.reads if read in enrichers]
        for name, enricher in enrichers.items()
    }
    steps: dict[str, Step] = {}
    for name in _order(reads):
        enricher = enrichers[name]
        stamp = fingerprint(
            enricher.version,
            spec.enrichers[name].use or name,
            enricher.config,
            enricher.reads,
            [steps[read].fingerprint for read in reads[name]],
        )
        steps[name] = Step(name, stamp, tuple(reads[name]))
    if model is not None and steps.keys() >= model.reads.keys():
        steps[PREDICTION] = _prediction(model, steps)
    return tuple(steps.values())


def _order(reads: dict[str, list[str]]) -> list[str]:
    try:
        return list(graphlib.TopologicalSorter(reads).static_order())
    except graphlib.CycleError as error:
        raise EnricherError(f"enrichers read each other in a circle: {error.args[1]}") from error


def _prediction(model: Model, steps: dict[str, Step]) -> Step:
    reads = tuple(model.reads)
    stamp = fingerprint(
        BODY_FORMAT,
        model.version,
        model.teacher_sha256,
        model.student_sha256,
        [steps[read].fingerprint for read in reads],
    )
    return Step(PREDICTION, stamp, reads)
