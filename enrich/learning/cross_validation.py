"""Cross-validation: answers of teacher and student on records that they were not trained on."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from db.scoring.student import Student
from db.spec.dataset_spec import DatasetSpec
from db.spec.record_key import KEY_BYTES

from .student_training import StudentTrainingSet, fit_student
from .teacher import Candidate, Estimator, fit_teacher
from .training_table import FEWEST_REPEATS, Frame

Array: TypeAlias = npt.NDArray[Any]


class OutOfFold(msgspec.Struct, frozen=True, kw_only=True):
    """Answers by key, each from a model that was not trained on that record.

    `keys` are KEY_BYTES each, in order. `teacher` and `student` hold one row per key: a probability
    for each label as float32, or one number as float64 if `labels` is empty. Stored with the model,
    so that the next version can be compared with it on the same records.
    """

    labels: list[str]
    keys: bytes
    teacher: bytes
    student: bytes

    @property
    def dtype(self) -> str:
        """The NumPy type of the stored answers: a number is kept with every digit."""
        return number_type(self.labels)

    def rows(self, model: str) -> tuple[list[bytes], Array]:
        """Return the keys, and for each a row of probabilities or of one number.

        `model` is "teacher" or "student".
        """
        rows = np.frombuffer(getattr(self, model), self.dtype)
        keys = [self.keys[at : at + KEY_BYTES] for at in range(0, len(self.keys), KEY_BYTES)]
        return keys, rows.reshape(-1, max(len(self.labels), 1))

    def answers(self, model: str) -> dict[bytes, Any]:
        """Return the predicted label or number by key; `model` is "teacher" or "student"."""
        keys, rows = self.rows(model)
        if not self.labels:
            return dict(zip(keys, rows[:, 0].tolist(), strict=True))
        names = np.array(self.labels)
        return dict(zip(keys, names[rows.argmax(axis=1)].tolist(), strict=True))


def number_type(labels: Sequence[str]) -> str:
    """Return the NumPy type of probabilities if there are labels, otherwise that of numbers."""
    return "<f4" if labels else "<f8"


def encode_out_of_fold(answers: OutOfFold) -> bytes:
    """Return the answers as the store keeps them: compressed MessagePack."""
    return zlib.compress(msgspec.msgpack.encode(answers))


def decode_out_of_fold(stored: bytes) -> OutOfFold:
    """Return the answers that `encode_out_of_fold` encoded."""
    return msgspec.msgpack.decode(zlib.decompress(stored), type=OutOfFold)


def answer(
    estimator: Estimator,
    rows: Any,  # noqa: ANN401
    names: list[str],
    lowest: float = -math.inf,
) -> Array:
    """Return the estimator's answers, one row for each of `rows`.

    A row has a probability for each of `names`, or one number of at least `lowest` if `names` is
    empty.
    """
    if not names:
        numbers: Array = np.asarray(estimator.predict(rows), dtype=float).reshape(-1, 1)
        return np.maximum(numbers, lowest)
    probabilities = np.zeros((rows.shape[0], len(names)))
    columns = [names.index(str(name)) for name in estimator.classes_]
    probabilities[:, columns] = estimator.predict_proba(rows)
    return probabilities


def student_answers(
    student: Student, inputs: Sequence[dict[str, Any]], names: Sequence[str]
) -> Array:
    """Return the student's answers, in the form of `answer`."""
    if not names:
        return np.array([[student.number(one)] for one in inputs])
    probabilities = np.zeros((len(inputs), len(names)))
    columns = [names.index(name) for name in student.labels]
    probabilities[:, columns] = [student.probabilities(one) for one in inputs]
    return probabilities


def cross_validate(
    candidate: Candidate,
    spec: DatasetSpec,
    frame: Frame,
    unlabelled: Frame,
    progress: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """Return out-of-fold answers: train teacher and student on all folds but one, answer that.

    The student learns from a teacher of the same folds. Otherwise the held-out labels would
    reach it through the teacher's answers.
    """
    names = label_names(spec, frame)
    width = max(len(names), 1)
    teacher, student = np.zeros((len(frame.keys), width)), np.zeros((len(frame.keys), width))
    for fold in sorted(set(frame.folds.tolist())):
        train, test = np.flatnonzero(frame.row_folds != fold), np.flatnonzero(frame.folds == fold)
        estimator = fit_teacher(candidate, frame.table[frame.index[train]], frame.labels[train])
        training_set = student_training_set(spec, frame, train, unlabelled, estimator)
        scorer = Student(fit_student(spec, training_set)[2])
        teacher[test] = answer(estimator, frame.table[test], names, scorer.lowest)
        student[test] = student_answers(scorer, [frame.inputs[at] for at in test], names)
        progress()
    return OutOfFold(
        labels=names,
        keys=b"".join(frame.keys),
        teacher=teacher.astype(number_type(names)).tobytes(),
        student=student.astype(number_type(names)).tobytes(),
    )


def label_names(spec: DatasetSpec, frame: Frame) -> list[str]:
    """Return the labels of a classification, sorted; a regression has none."""
    return sorted(set(frame.labels.tolist())) if spec.kind == "classification" else []


def student_training_set(
    spec: DatasetSpec, frame: Frame, train: Array, unlabelled: Frame, teacher: Estimator
) -> StudentTrainingSet:
    """Return the training set of a student.

    It has the rows of the frame at the indices `train` with their labels, and the unlabelled rows
    with the teacher's answers. Where many rows repeat few records, the labels of a classification
    leave open what other records are like: the student learns that from the teacher's answers too.
    """
    names = label_names(spec, frame)
    index = frame.index[train]
    rows: Array = np.unique(index) if _learns_answers(names, index) else np.array([], dtype=int)
    answers = np.zeros((0, max(len(names), 1)))
    if len(unlabelled.keys):
        answers = answer(teacher, unlabelled.table, names)
    if len(rows):
        counts = np.bincount(index)[rows].reshape(-1, 1)
        answers = np.vstack([answers, counts * answer(teacher, frame.table[rows], names)])
        train = train[:0]
    return StudentTrainingSet(
        rows=[frame.inputs[at] for at in frame.index[train]],
        labels=frame.labels[train],
        unlabelled=[*unlabelled.inputs, *(frame.inputs[at] for at in rows)],
        answers=answers if names else answers[:, 0],
        names=names,
    )


def _learns_answers(names: Sequence[str], index: Array) -> bool:
    """Return True if rows, at these positions of their records, repeat few records."""
    return bool(names) and len(index) >= FEWEST_REPEATS * len(set(index.tolist()))
