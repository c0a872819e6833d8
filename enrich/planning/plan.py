"""The plan of a dataset: its enrichers in the order in which they can run."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from db.errors import EnricherError
from db.records.analysis import Analysis
from db.records.dataset import Dataset, PlanStep
from db.records.models.trained_model import Model
from db.scoring.response_body import BODY_FORMAT
from db.spec.dataset_spec import PREDICTION, DatasetSpec
from enrich.enrichers.base import Enricher, find_enrichers, fingerprint


def make_plan(
    dataset: Dataset,
    model: Model | None,
    enrichers: Mapping[str, Enricher],
    analyses: Mapping[str, Analysis] = MappingProxyType({}),
) -> tuple[PlanStep, ...]:
    """Return the steps of a dataset, each after those that it reads; the prediction is last.

    A step's fingerprint includes those of what it reads, so that a change makes everything that
    depends on it stale, and nothing else. An enricher that needs an analysis has a step once there
    is one under its own fingerprint, and so have the enrichers that read it.
    """
    spec = dataset.spec
    reads = {
        name: [read for read in enricher.reads if read in enrichers]
        for name, enricher in enrichers.items()
    }
    steps: dict[str, PlanStep] = {}
    for name in _order(reads):
        if not steps.keys() >= set(reads[name]):
            continue
        stamp = _stamp(enrichers[name], spec, [steps[read].fingerprint for read in reads[name]])
        if enrichers[name].is_analysis:
            analysis = analyses.get(name)
            if analysis is None or analysis.fingerprint != stamp:
                continue
            stamp = fingerprint(stamp, analysis.number, analysis.basis)
        steps[name] = PlanStep(name, stamp, tuple(reads[name]))
    if model is not None and steps.keys() >= model.reads.keys():
        steps[PREDICTION] = _prediction(model, steps)
    return tuple(steps.values())


def _stamp(enricher: Enricher, spec: DatasetSpec, reads: Sequence[str]) -> str:
    use = spec.enrichers[enricher.name].use or enricher.name
    return fingerprint(enricher.version, use, enricher.value_config, enricher.reads, reads)


@dataclass(frozen=True)
class PlannedAnalysis:
    """An enricher that needs an analysis, and the fingerprint of an analysis made now.

    `reads` has the fingerprint of each enricher that it reads.
    """

    enricher: Enricher
    fingerprint: str
    reads: Mapping[str, str]


def planned_analyses(
    dataset: Dataset, analyses: Mapping[str, Analysis], code_paths: Sequence[str]
) -> list[PlannedAnalysis]:
    """Return the analyses of a dataset's enrichers, without those that read what has no step."""
    enrichers = find_enrichers(dataset.spec, code_paths)
    steps = {step.name: step.fingerprint for step in make_plan(dataset, None, enrichers, analyses)}
    planned = []
    for enricher in enrichers.values():
        others = [read for read in enricher.reads if read in enrichers]
        if enricher.is_analysis and steps.keys() >= set(others):
            reads = {read: steps[read] for read in others}
            stamp = _stamp(enricher, dataset.spec, list(reads.values()))
            planned.append(PlannedAnalysis(enricher, stamp, reads))
    return planned


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
