"""Training: fits teacher and student on the store's records and activates them if not worse."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import msgspec
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from db.errors import TrainingError, VeilleuseError
from db.records.models.model_versions import KnownAnswers, NewModel, add_model, read_out_of_fold
from db.records.models.trained_model import active_model
from db.scoring.interval import Interval
from db.scoring.library_versions import library_versions
from db.scoring.student import Student
from db.scoring.student_data import Artifact, StudentData, decode_student, encode_student
from db.settings import Settings
from db.store.store import Store
from db.versions.activation import lost_reads
from db.versions.held_out import mark_held_out
from enrich.planning.maintenance import use_model
from enrich.planning.model_versions import why_unusable

from .column import is_input
from .portable.ensemble import Ensemble
from .portable.search import fit_found, planned_fits
from .problem import DatasetProblem, make_problem
from .quality.conformal import fit_interval
from .quality.importance import importance
from .quality.out_of_fold import (
    ModelKind,
    OutOfFold,
    decode_out_of_fold,
    encode_out_of_fold,
    pack_answers,
)
from .quality.promotion import PromotionDecision, decide_promotion
from .quality.report import report_on
from .selection import Selection, select
from .teacher import Estimator, answer, candidates, fit_teacher
from .teacher_file import dump_teacher, load_teacher
from .training_data import TrainingData, check_enough, read_training_data
from .training_table import Frame, extent_of

# A student is compared with the model that it was made from on so many rows, up to this difference:
# its weights are whole numbers.
CHECKED_ROWS = 200
TOLERANCE = 1e-6
# So many answers of the teacher are kept with it.
KNOWN_ANSWERS = 64
# The score of a text may round to the other side of a threshold.
SHARE_ALIKE = 0.99

# Called with what was fitted, on how many records, and on how many it will be in all.
TrainingProgress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainingMonitor:
    """What training tells those who wait: its progress, and sentences that they should read."""

    progress: TrainingProgress
    say: Callable[[str], None]


SILENT = TrainingMonitor(lambda _note, _done, _total: None, lambda _sentence: None)


@dataclass(frozen=True)
class Trained:
    """A new version of a model, its metrics, and the decision whether to activate it."""

    version: int
    metrics: dict[str, Any]
    decision: PromotionDecision


def train_model(
    store: Store,
    name: str,
    settings: Settings,
    *,
    force: bool = False,
    sample: int | None = None,
    monitor: TrainingMonitor = SILENT,
) -> Trained:
    """Fit teacher and student, store them as a new version, and activate it if it is not worse.

    With `force` it is activated in any case. It works on a fair sample of `sample` records, or of
    as many as memory has room for. Raises TrainingError if there are too few labels or the teacher
    cannot be fitted.
    """
    data = read_training_data(store, name, settings, sample, monitor.say)
    check_enough(data)
    try:
        with warnings.catch_warnings():
            # Cross-validation measures what a fit that has not converged is worth.
            warnings.simplefilter("ignore", ConvergenceWarning)
            learning = make_problem(data.dataset.spec, data.frame, data.unlabelled)
            selection = _select(data, learning, settings, monitor.progress)
            answers = pack_answers(
                learning.names, data.frame.keys, selection.teacher_rows, selection.student
            )
            new = _fit(data, learning, selection, answers, settings.code_paths)
    except VeilleuseError:
        raise
    except Exception as error:
        # An estimator may refuse the table, and a user's own teacher may raise anything.
        teacher = data.dataset.spec.teacher
        what = "no model can" if teacher == "default" else f"the teacher {teacher} cannot"
        words = f"{name}: {what} be fitted: {type(error).__name__}: {error}"
        raise TrainingError(words) from error
    return _store_version(store, data, answers, new, settings, force=force)


def _select(
    data: TrainingData,
    learning: DatasetProblem,
    settings: Settings,
    progress: TrainingProgress,
) -> Selection:
    frame = data.frame
    teachers = candidates(data.dataset.spec, frame.columns, extent_of(frame), settings.code_paths)
    once = len(frame.keys) * learning.problem.rows.fold_count
    # The last fit is that of the chosen model on all records.
    total = planned_fits(learning.problem) + len(teachers) * once + len(frame.keys)
    progress("fitting the first fold", 0, total)
    return select(
        learning,
        teachers,
        frame,
        data.unlabelled,
        lambda note, records: progress(note, records, total),
    )


def _fit(
    data: TrainingData,
    learning: DatasetProblem,
    selection: Selection,
    answers: OutOfFold,
    code_paths: tuple[str, ...],
) -> NewModel:
    """Fit teacher and student on all labelled rows."""
    frame, spec = data.frame, data.dataset.spec
    teacher = None
    if selection.teacher:
        candidate = selection.teacher.candidate
        teacher = fit_teacher(candidate, frame.table[frame.index], frame.labels)
    ensemble = _fit_student(data, learning, selection, teacher)
    student = _complete(ensemble.student(learning.names, learning.scale), selection, frame, answers)
    stored = Artifact(*encode_student(student))
    # Read back, so that what the web process would refuse fails here.
    scorer = Student(decode_student(stored.data, stored.sha256))
    _check_export(data, learning, ensemble, scorer)
    metrics = {
        "estimator": selection.name,
        "student_estimator": selection.found.name,
        "student_is_teacher": teacher is None,
        "student_trees": len(student.trees.nodes.unpack().sizes) if student.trees else 0,
        "importance": importance(scorer, frame.inputs),
        "target": spec.target,
        "sample": data.sample,
        "unlabelled": len(data.unlabelled.keys),
        "covering": data.covering,
        "not_covering": data.not_covering,
        "all_rows": data.all_rows,
        "unread_values": frame.unread,
        **report_on(frame, answers),
        # A student that is the teacher reads no enrichment.
        "columns": {
            name: kind for name, kind in frame.columns.items() if teacher or is_input(spec, name)
        },
    }
    return NewModel(
        metrics=metrics,
        reads=data.reads if teacher else {},
        student=stored,
        teacher=_dump(teacher, code_paths) if teacher else None,
        out_of_fold=encode_out_of_fold(answers),
        made_with=library_versions(),
        known_answers=_known_answers(frame, learning, selection, teacher) if teacher else None,
    )


def _known_answers(
    frame: Frame, learning: DatasetProblem, selection: Selection, teacher: Estimator
) -> KnownAnswers:
    """Return the teacher's answers to some records, with which other versions are compared."""
    some = np.unique(np.linspace(0, len(frame.keys) - 1, KNOWN_ANSWERS).astype(int))
    factor = selection.teacher_factor
    answers = answer(teacher, frame.table[some], learning.names, learning.lowest, factor)
    return KnownAnswers([frame.keys[at] for at in some], answers.tolist())


def _fit_student(
    data: TrainingData, learning: DatasetProblem, selection: Selection, teacher: Estimator | None
) -> Ensemble:
    extra = None
    if selection.learns_answers:
        table, factor = data.unlabelled.table, selection.teacher_factor
        answers = answer(teacher, table, learning.names, learning.lowest, factor)
        records = len(data.frame.keys) + np.arange(len(data.unlabelled.keys))
        extra = learning.as_target(records, answers)
    return fit_found(learning.problem, selection.found, extra)


def _dump(teacher: Estimator, code_paths: tuple[str, ...]) -> Artifact:
    artifact = dump_teacher(teacher)
    # A teacher that a worker cannot load must fail here, not at the first prediction.
    load_teacher(artifact, code_paths)
    return artifact


def _complete(
    student: StudentData, selection: Selection, frame: Frame, answers: OutOfFold
) -> StudentData:
    """Return the student with what is known of the teacher, and the intervals of both."""
    is_teacher = selection.teacher is None
    if answers.labels:
        return msgspec.structs.replace(
            student, is_teacher=is_teacher, teacher_factor=selection.teacher_factor
        )
    return msgspec.structs.replace(
        student,
        is_teacher=is_teacher,
        interval=_interval_of("student", frame, answers),
        teacher_interval=None if is_teacher else _interval_of("teacher", frame, answers),
    )


def _interval_of(model: ModelKind, frame: Frame, answers: OutOfFold) -> Interval:
    return fit_interval(answers.rows(model)[frame.index, 0], frame.labels)


def _check_export(
    data: TrainingData, learning: DatasetProblem, ensemble: Ensemble, student: Student
) -> None:
    """Raise TrainingError if the student answers otherwise than the model that it was made from."""
    inputs = data.frame.inputs[:CHECKED_ROWS]
    answers = learning.answers(ensemble.scores(np.arange(len(inputs))))
    own = [student.outputs(one) for one in inputs]
    tolerance = TOLERANCE * learning.scale.deviation
    is_same = np.isclose(answers, own, rtol=TOLERANCE, atol=tolerance).all(axis=1)
    if is_same.mean() < SHARE_ALIKE:
        raise TrainingError(
            f"{data.dataset.name}: the student answers otherwise than the model that it was made"
            " from; please report this with your scikit-learn version"
        )


def _store_version(
    store: Store,
    data: TrainingData,
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
    if active and (lost_reads(active, dataset.spec) or why_unusable(dataset, active)):
        # The active teacher can no longer predict: any other is better.
        stored = None
    decision = decide_promotion(decode_out_of_fold(stored) if stored else None, answers, truth)
    if force and not decision.active:
        reason = f"forced, although {decision.reason}"
        decision = dataclasses.replace(decision, active=True, reason=reason)
    # Repeated if the store ends it because of a training of another version of the code.
    version = store.write(partial(add_model, dataset_id=dataset.id, new=new))
    if decision.active:
        use_model(store, dataset.name, version, settings)
        mark_held_out(store, dataset, version)
    return Trained(version, new.metrics, decision)
