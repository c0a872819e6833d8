"""Training: fits teacher and student on the store's records and activates them if not worse."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from db.errors import TrainingError, VeilleuseError
from db.records.dataset import Dataset, find_dataset
from db.records.enrichment import enrichers_covering_labels
from db.records.observation import adopt_labels, has_uncounted_labels
from db.records.trained_model import Artifact, NewModel, active_model, add_model, read_out_of_fold
from db.scoring.student import encode_student
from db.settings import Settings
from db.store.store import Store
from enrich.enrichers.base import find_enrichers
from enrich.planning.maintenance import FEWEST_LABELS, lost_reads, use_model
from enrich.planning.plan import make_plan

from .cross_validation import (
    OutOfFold,
    cross_validate,
    decode_out_of_fold,
    encode_out_of_fold,
    student_training_set,
)
from .held_out import mark_held_out
from .promotion import PromotionDecision, decide_promotion
from .report import loss_of, report_on
from .student_training import fit_student
from .teacher import Candidate, candidates, dump_teacher, fit_teacher, load_teacher
from .training_table import Frame, extent_of, read_labelled, read_unlabelled


@dataclass(frozen=True)
class Trained:
    """A new version of a model, its metrics, and the decision whether to activate it."""

    version: int
    metrics: dict[str, Any]
    decision: PromotionDecision


@dataclass(frozen=True)
class _TrainingData:
    dataset: Dataset
    # The enrichers that have a fresh value for every labelled record, with their fingerprints.
    covering: dict[str, str]
    # The names of the other enrichers.
    not_covering: list[str]
    # Those of `covering` whose values a teacher can read.
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
    """Fit teacher and student, store them as a new version, and activate it if it is not worse.

    With `force` it is activated in any case. Raises TrainingError if there are too few labels or
    the teacher cannot be fitted.
    """
    data = _read(store, name, settings)
    _check_enough(data)
    try:
        with warnings.catch_warnings():
            # Cross-validation measures what a fit that has not converged is worth.
            warnings.simplefilter("ignore", ConvergenceWarning)
            candidate, answers = _choose(data, settings, progress)
            new = _fit(data, candidate, answers, settings.code_paths)
    except VeilleuseError:
        raise
    except Exception as error:
        # An estimator may refuse the table, and a user's own teacher may raise anything.
        teacher = data.dataset.spec.teacher
        words = f"{name}: the {teacher} teacher cannot be fitted: {type(error).__name__}: {error}"
        raise TrainingError(words) from error
    progress(1)
    return _store_version(store, data, answers, new, settings, force=force)


def _read(store: Store, name: str, settings: Settings) -> _TrainingData:
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        if has_uncounted_labels(connection, dataset.id):
            store.write(partial(adopt_labels, dataset_id=dataset.id))
        steps = make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths))
        fingerprints = {step.name: step.fingerprint for step in steps}
        covering = {
            enricher: fingerprints[enricher]
            for enricher in enrichers_covering_labels(connection, dataset.id, fingerprints)
        }
        frame = read_labelled(connection, dataset, covering)
        unlabelled = read_unlabelled(connection, dataset, covering)
    return _TrainingData(
        dataset=dataset,
        covering=covering,
        not_covering=sorted(fingerprints.keys() - covering),
        reads={
            name: fingerprint for name, fingerprint in covering.items() if name in frame.columns
        },
        frame=frame,
        unlabelled=unlabelled,
    )


def _check_enough(data: _TrainingData) -> None:
    name, frame, spec = data.dataset.name, data.frame, data.dataset.spec
    if not len(frame):
        raise TrainingError(
            f"{name}: no row has a label; import a file with a column"
            f" {spec.target}: python -m db import {name} FILE"
        )
    if len(frame) < FEWEST_LABELS:
        raise TrainingError(
            f"{name}: {len(frame)} labelled rows are too few, training needs at least"
            f" {FEWEST_LABELS}; import more: python -m db import {name} FILE"
        )
    if len(frame.keys) == 1:
        raise TrainingError(
            f"{name}: all {len(frame):,} labelled rows have the same inputs, so nothing can be"
            f" learnt from them; import others, or add the columns in which the rows differ"
        )
    if spec.kind == "regression":
        return
    labels, counts = np.unique(frame.labels, return_counts=True)
    if len(labels) == 1:
        raise TrainingError(f"{name}: every label is {labels[0]}; import rows with others")
    if counts.max() == 1:
        raise TrainingError(
            f"{name}: no label has 2 rows; import more of each, or choose another target"
            f" if {spec.target} names each row"
        )


def _choose(
    data: _TrainingData, settings: Settings, progress: Callable[[int], None]
) -> tuple[Candidate, OutOfFold]:
    """Return the teacher with the smallest out-of-fold loss, and its answers."""
    spec, frame = data.dataset.spec, data.frame
    tried = []
    for candidate in candidates(spec, frame.columns, extent_of(frame), settings.code_paths):
        answers = cross_validate(candidate, spec, frame, data.unlabelled, lambda: progress(1))
        tried.append((candidate, answers))
    return min(tried, key=lambda pair: loss_of(frame, pair[1]))


def _fit(
    data: _TrainingData, candidate: Candidate, answers: OutOfFold, code_paths: tuple[str, ...]
) -> NewModel:
    """Fit teacher and student on all labelled rows."""
    frame, spec = data.frame, data.dataset.spec
    teacher = fit_teacher(candidate, frame.table[frame.index], frame.labels)
    every_row = np.arange(len(frame))
    training_set = student_training_set(spec, frame, every_row, data.unlabelled, teacher)
    _, _, student = fit_student(spec, training_set)
    artifact = dump_teacher(teacher)
    # A teacher that a worker cannot load must fail here, not at the first prediction.
    load_teacher(artifact, code_paths)
    metrics = {
        "estimator": candidate.name,
        "target": spec.target,
        "unlabelled": len(data.unlabelled.keys),
        "covering": data.covering,
        "not_covering": data.not_covering,
        **report_on(frame, answers),
    }
    return NewModel(
        metrics=metrics,
        reads=data.reads,
        student=Artifact(*encode_student(student)),
        teacher=artifact,
        out_of_fold=encode_out_of_fold(answers),
    )


def _store_version(
    store: Store,
    data: _TrainingData,
    answers: OutOfFold,
    new: NewModel,
    settings: Settings,
    *,
    force: bool,
) -> Trained:
    """Store a new version, and activate it if it is not worse than the active one."""
    frame, dataset = data.frame, data.dataset
    keys = [frame.keys[at] for at in frame.index]
    truth = list(zip(keys, frame.labels.tolist(), strict=True))
    with store.reading() as connection:
        active = active_model(connection, dataset.id)
        stored = read_out_of_fold(connection, active) if active else None
    if active and lost_reads(active, dataset.spec):
        # The active teacher can no longer predict: any other is better.
        stored = None
    decision = decide_promotion(decode_out_of_fold(stored) if stored else None, answers, truth)
    if force and not decision.active:
        decision = PromotionDecision(active=True, reason=f"forced, although {decision.reason}")
    with store.writing() as connection:
        version = add_model(connection, dataset.id, new)
    if decision.active:
        use_model(store, dataset.name, version, settings)
        mark_held_out(store, dataset, version)
    return Trained(version, new.metrics, decision)
