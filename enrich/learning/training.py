"""Training: teacher and student from what is in the store, and whether they come into use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from db.errors import TrainingError, VeilleuseError
from db.records.dataset import Dataset, find_dataset
from db.records.enrichment import covers_labels
from db.records.model import Artifact, NewModel, active_model, add_model, read_out_of_fold
from db.scoring.student import encode_student
from db.settings import Settings
from db.spec.key import FOLDS
from db.store.engine import Store
from enrich.planning.maintenance import FEWEST_LABELS, lost_reads, use_model
from enrich.planning.plan import make_plan

from .cross_validation import (
    OutOfFold,
    cross_validate,
    decode_out_of_fold,
    encode_out_of_fold,
    lesson_of,
)
from .distil import fit_student
from .frame import Frame, read_labelled, read_unlabelled
from .held_out import mark_held_out
from .promotion import PromotionDecision, decide_promotion
from .report import loss_of, report_on
from .teacher import Candidate, candidates, dump_teacher, load_teacher


@dataclass(frozen=True)
class Trained:
    """A new version, its metrics, and whether and why it came into use."""

    version: int
    metrics: dict[str, Any]
    decision: PromotionDecision


@dataclass(frozen=True)
class _Material:
    dataset: Dataset
    # Enrichers that cover the labelled records, and those that do not; of the former, those that
    # a teacher can take.
    covering: dict[str, str]
    not_covering: list[str]
    reads: dict[str, str]
    frame: Frame
    unlabelled: Frame


def train_model(
    store: Store,
    name: str,
    settings: Settings,
    *,
    force: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Trained:
    """Fit teacher and student, report, and put them into use if they are not worse.

    Raises TrainingError where there is too little to train from.
    """
    material = _read(store, name, settings)
    _check_enough(material)
    try:
        candidate, answers = _choose(material, settings, progress)
        new = _fit(material, candidate, answers, settings.code_paths)
    except VeilleuseError:
        raise
    except Exception as error:
        # A table that no estimator takes, or whatever a user's own teacher raises.
        teacher = material.dataset.spec.teacher
        words = f"{name}: the {teacher} teacher cannot learn this: {type(error).__name__}: {error}"
        raise TrainingError(words) from error
    progress(1)
    return _keep(store, material, answers, new, settings, force=force)


def _read(store: Store, name: str, settings: Settings) -> _Material:
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        steps = make_plan(dataset, None, settings.code_paths)
        stamps = {step.name: step.fingerprint for step in steps}
        covering = {read: stamps[read] for read in covers_labels(connection, dataset.id, stamps)}
        frame = read_labelled(connection, dataset, covering)
        reads = {read: stamp for read, stamp in covering.items() if read in frame.columns}
        unlabelled = read_unlabelled(connection, dataset, covering)
    return _Material(dataset, covering, sorted(stamps.keys() - covering), reads, frame, unlabelled)


def _check_enough(material: _Material) -> None:
    name, frame = material.dataset.name, material.frame
    if not len(frame):
        raise TrainingError(
            f"{name}: no record has a label; import a file with a column"
            f" {material.dataset.spec.target}: python -m db import {name} FILE"
        )
    if len(frame) < FEWEST_LABELS:
        raise TrainingError(
            f"{name}: {len(frame)} labelled records are too few, training wants at least"
            f" {FEWEST_LABELS}; import more: python -m db import {name} FILE"
        )
    if material.dataset.spec.kind == "regression":
        return
    labels, counts = np.unique(frame.labels, return_counts=True)
    if len(labels) == 1:
        raise TrainingError(f"{name}: every label is {labels[0]}; import records with others")
    if counts.max() < FOLDS:
        raise TrainingError(f"{name}: no label has {FOLDS} records; import more of each")


def _choose(
    material: _Material, settings: Settings, progress: Callable[[int], None]
) -> tuple[Candidate, OutOfFold]:
    """Return the teacher with the smallest loss out of fold, and its answers."""
    spec, frame = material.dataset.spec, material.frame
    tried = []
    for candidate in candidates(spec, frame.columns, _rarest(material), settings.code_paths):
        answers = cross_validate(candidate, spec, frame, material.unlabelled, lambda: progress(1))
        tried.append((candidate, answers))
    return min(tried, key=lambda pair: loss_of(frame, pair[1]))


def _rarest(material: _Material) -> int:
    """Return how many rows the rarest label has in the four folds where it has fewest."""
    frame = material.frame
    if material.dataset.spec.kind == "regression":
        return 0
    labels, index = np.unique(frame.labels, return_inverse=True)
    counts = np.zeros((len(labels), FOLDS), dtype=int)
    np.add.at(counts, (index, frame.folds), 1)
    return int((counts.sum(axis=1) - counts.max(axis=1)).min())


def _fit(
    material: _Material, candidate: Candidate, answers: OutOfFold, code_paths: tuple[str, ...]
) -> NewModel:
    frame, spec = material.frame, material.dataset.spec
    teacher = candidate.make().fit(frame.table, frame.labels)
    training_set = lesson_of(spec, frame, np.arange(len(frame)), material.unlabelled, teacher)
    _, _, student = fit_student(spec, training_set)
    kept = dump_teacher(teacher)
    # What a worker could not load is better known now than at the first prediction.
    load_teacher(kept, code_paths)
    metrics = {
        "estimator": candidate.name,
        "target": spec.target,
        "unlabelled": len(material.unlabelled),
        "covering": material.covering,
        "not_covering": material.not_covering,
        **report_on(frame, answers),
    }
    return NewModel(
        metrics=metrics,
        reads=material.reads,
        student=Artifact(*encode_student(student)),
        teacher=kept,
        out_of_fold=encode_out_of_fold(answers),
    )


def _keep(
    store: Store,
    material: _Material,
    answers: OutOfFold,
    new: NewModel,
    settings: Settings,
    *,
    force: bool,
) -> Trained:
    frame, found = material.frame, material.dataset
    truth = dict(zip(frame.keys, frame.labels.tolist(), strict=True))
    with store.reading() as connection:
        before = active_model(connection, found.id)
        stored = read_out_of_fold(connection, before) if before else None
    if before and lost_reads(before, found.spec):
        stored = None
    decision = decide_promotion(decode_out_of_fold(stored) if stored else None, answers, truth)
    if force and not decision.active:
        decision = PromotionDecision(active=True, reason=f"forced, although {decision.reason}")
    with store.writing() as connection:
        version = add_model(connection, found.id, new)
    if decision.active:
        use_model(store, found.name, version, settings)
        mark_held_out(store, found, version)
    return Trained(version, new.metrics, decision)
