"""The plan of a dataset: its enrichers in the order in which they can run."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from db.errors import EnricherError
from db.records.analysis import Analysis
from db.records.dataset import Dataset, PlanStep
from db.records.model import Model
from db.scoring.response_body import BODY_FORMAT
from db.spec.dataset_spec import DatasetSpec
from enrich.enrichers.base import Enricher, find_enricher, fingerprint

PREDICTION = "prediction"


def make_plan(
    dataset: Dataset,
    model: Model | None,
    code_paths: Sequence[str],
    analyses: Mapping[str, Analysis] = MappingProxyType({}),
) -> tuple[PlanStep, ...]:
    """Return today's steps, each after those that it reads; the prediction last.

    A step's fingerprint holds those of what it reads, so that whatever changes makes all that
    depends on it stale, and nothing else. An enricher over the whole set has a step once the set
    has been looked at, and so have those that read it.
    """
    spec = dataset.spec
    enrichers = {name: find_enricher(spec, name, code_paths) for name in spec.enrichers}
    reads = {
        name: [read for read in enricher.reads if read in enrichers]
        for name, enricher in enrichers.items()
    }
    steps: dict[str, PlanStep] = {}
    for name in _order(reads):
        if not steps.keys() >= set(reads[name]):
            continue
        stamp = _stamp(enrichers[name], spec, [steps[read].fingerprint for read in reads[name]])
        if enrichers[name].kind == "set":
            snapshot = analyses.get(name)
            if snapshot is None:
                continue
            stamp = fingerprint(stamp, snapshot.number, snapshot.basis)
        steps[name] = PlanStep(name, stamp, tuple(reads[name]))
    if model is not None and steps.keys() >= model.reads.keys():
        steps[PREDICTION] = _prediction(model, steps)
    return tuple(steps.values())


def _stamp(enricher: Enricher, spec: DatasetSpec, reads: Sequence[str]) -> str:
    use = spec.enrichers[enricher.name].use or enricher.name
    return fingerprint(enricher.version, use, enricher.config, enricher.reads, reads)


def stamp_alone(dataset: Dataset, name: str, code_paths: Sequence[str]) -> str:
    """Return the fingerprint of an enricher that reads no other's values."""
    return _stamp(find_enricher(dataset.spec, name, code_paths), dataset.spec, [])


def set_enrichers(dataset: Dataset, code_paths: Sequence[str]) -> list[Enricher]:
    """Return a dataset's enrichers over its whole set."""
    each = (find_enricher(dataset.spec, name, code_paths) for name in dataset.spec.enrichers)
    return [enricher for enricher in each if enricher.kind == "set"]


def _order(reads: dict[str, list[str]]) -> list[str]:
    try:
        return list(graphlib.TopologicalSorter(reads).static_order())
    except graphlib.CycleError as error:
        raise EnricherError(f"enrichers read each other in a circle: {error.args[1]}") from error


def _prediction(model: Model, steps: dict[str, PlanStep]) -> PlanStep:
    reads = tuple(model.reads)
    stamp = fingerprint(
        BODY_FORMAT,
        model.version,
        model.teacher_sha256,
        model.student_sha256,
        [steps[read].fingerprint for read in reads],
    )
    return PlanStep(PREDICTION, stamp, reads)
