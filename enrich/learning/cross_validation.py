"""Answers of teacher and student on rows that they were not trained on."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from db.spec.dataset_spec import DatasetSpec
from db.spec.key import FOLDS, KEY_BYTES

from .distil import StudentTrainingSet, fit_student
from .frame import Frame
from .teacher import Candidate, Estimator

Array: TypeAlias = npt.NDArray[Any]


class OutOfFold(msgspec.Struct, frozen=True, kw_only=True):
    """Answers by key, each from a model that never saw the row.

    A row a key: a probability for each label as float32, or one number as float64. Stored with
    the model, so that the next can be held against it on the same rows.
    """

    labels: list[str]
    keys: bytes
    teacher: bytes
    student: bytes

    @property
    def dtype(self) -> str:
        """How answers are kept: of a number every digit may count."""
        return number_type(self.labels)

    def rows(self, of: str) -> tuple[list[bytes], Array]:
        """Return the keys, and a row of probabilities or of one number for each."""
        rows = np.frombuffer(getattr(self, of), self.dtype)
        keys = [self.keys[at : at + KEY_BYTES] for at in range(0, len(self.keys), KEY_BYTES)]
        return keys, rows.reshape(-1, max(len(self.labels), 1))

    def answers(self, of: str) -> dict[bytes, Any]:
        """Return the predicted label or number by key, `of` teacher or student."""
        keys, rows = self.rows(of)
        if not self.labels:
            return dict(zip(keys, rows[:, 0].tolist(), strict=True))
        names = np.array(self.labels)
        return dict(zip(keys, names[rows.argmax(axis=1)].tolist(), strict=True))


def number_type(labels: Sequence[str]) -> str:
    """Return the type of answers over these labels, or of numbers where there are none."""
    return "<f4" if labels else "<f8"


def encode_out_of_fold(made: OutOfFold) -> bytes:
    """Return the answers as stored."""
    return zlib.compress(msgspec.msgpack.encode(made))


def decode_out_of_fold(stored: bytes) -> OutOfFold:
    """Return what `encode_out_of_fold` kept."""
    return msgspec.msgpack.decode(zlib.decompress(stored), type=OutOfFold)


def answer(estimator: Estimator, rows: Any, names: list[str]) -> Array:  # noqa: ANN401
    """Return a row of probabilities over all names, or of one number, for each row."""
    if not names:
        numbers: Array = np.asarray(estimator.predict(rows), dtype=float).reshape(-1, 1)
        return numbers
    given = np.zeros((rows.shape[0], len(names)))
    columns = [names.index(str(name)) for name in estimator.classes_]
    given[:, columns] = estimator.predict_proba(rows)
    return given


def cross_validate(
    candidate: Candidate,
    spec: DatasetSpec,
    frame: Frame,
    unlabelled: Frame,
    progress: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """Train teacher and student on four folds each and let them answer the fifth.

    The student learns from a teacher of the same folds, or the held-out labels would reach it.
    """
    names = label_names(spec, frame)
    width = max(len(names), 1)
    teacher, student = np.zeros((len(frame), width)), np.zeros((len(frame), width))
    for fold in range(FOLDS):
        train, test = np.flatnonzero(frame.folds != fold), np.flatnonzero(frame.folds == fold)
        if not len(test):
            continue
        estimator = candidate.make().fit(frame.table[train], frame.labels[train])
        teacher[test] = answer(estimator, frame.table[test], names)
        training_set = lesson_of(spec, frame, train, unlabelled, estimator)
        model, design, data = fit_student(spec, training_set)
        given = answer(model, design.matrix([frame.inputs[at] for at in test]), names)
        student[test] = given if names else data.target_mean + data.target_scale * given
        progress()
    return OutOfFold(
        labels=names,
        keys=b"".join(frame.keys),
        teacher=teacher.astype(number_type(names)).tobytes(),
        student=student.astype(number_type(names)).tobytes(),
    )


def label_names(spec: DatasetSpec, frame: Frame) -> list[str]:
    """Return the labels in their order; a regression has none."""
    return sorted(set(frame.labels.tolist())) if spec.kind == "classification" else []


def lesson_of(
    spec: DatasetSpec, frame: Frame, train: Array, unlabelled: Frame, teacher: Estimator
) -> StudentTrainingSet:
    """Return what a student learns from those rows of the frame and from the teacher's answers."""
    names = label_names(spec, frame)
    width = max(len(names), 1)
    answers = np.zeros((0, width))
    if len(unlabelled):
        answers = answer(teacher, unlabelled.table, names)
    return StudentTrainingSet(
        rows=[frame.inputs[at] for at in train],
        labels=frame.labels[train],
        unlabelled=unlabelled.inputs,
        answers=answers if names else answers[:, 0],
        names=names,
    )
