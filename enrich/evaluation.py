"""Evaluation of the active model on the labelled rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from db.errors import DataFileError, InputError, TrainingError
from db.files.reader import check_rows, read_rows
from db.records.dataset import Dataset, find_dataset
from db.records.trained_model import (
    active_model,
    model_name,
    read_out_of_fold,
    read_student,
    read_teacher,
)
from db.scoring.student import Student, decode_student
from db.settings import Settings
from db.spec.dataset_spec import encode_spec
from db.spec.record_key import fold_of
from db.store.store import Store
from enrich.enrichers.base import Row, find_enricher, find_enrichers
from enrich.executors.recipe import EnricherRecipe
from enrich.learning.column import columns_of, first_value, make_table
from enrich.learning.cross_validation import OutOfFold, answer, decode_out_of_fold, number_type
from enrich.learning.report import report_on
from enrich.learning.teacher import load_teacher
from enrich.learning.training_table import Frame
from enrich.planning.maintenance import lost_reads
from enrich.planning.plan import make_plan


def evaluate_file(store: Store, name: str, path: Path, settings: Settings) -> dict[str, Any]:
    """Return the active model's metrics on a file's labelled rows that it was not trained on.

    The enrichments that the teacher reads are computed here and not stored. Raises TrainingError
    without a usable model, DataFileError for a bad row or if no row is left.
    """
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        model = active_model(connection, dataset.id)
        if model is None:
            raise TrainingError(f"{name} has no model yet; run: python -m enrich train {name}")
        stored_student = read_student(connection, model)
        stored_teacher = read_teacher(connection, model)
        trained_on = _keys(read_out_of_fold(connection, model))
    lost = lost_reads(model, dataset.spec)
    if lost:
        raise TrainingError(
            f"{name}: the teacher reads {lost}, which the spec no longer names;"
            f" run: python -m enrich train {name}"
        )
    rows, skipped = _read(dataset, path, trained_on)
    frame = _frame(dataset, rows, tuple(model.reads), settings)
    student = Student(decode_student(stored_student.data, stored_student.sha256))
    teacher = load_teacher(stored_teacher, settings.code_paths)
    names = list(student.labels)
    answers = OutOfFold(
        labels=names,
        keys=b"".join(frame.keys),
        teacher=answer(teacher, frame.table, names).astype(number_type(names)).tobytes(),
        student=_student_answers(student, frame).astype(number_type(names)).tobytes(),
    )
    from_training = {name: model.metrics[name] for name in ("estimator", "target")}
    return {
        "model": model_name(dataset, model.version),
        "seen": skipped,
        **from_training,
        **report_on(frame, answers),
    }


def _keys(out_of_fold: bytes | None) -> set[bytes]:
    """Return the keys of the records that a model was trained on."""
    return set(decode_out_of_fold(out_of_fold).answers("teacher")) if out_of_fold else set()


def _read(dataset: Dataset, path: Path, trained_on: set[bytes]) -> tuple[list[Row], int]:
    """Return one labelled row per key, and the number of rows left out as used in training."""
    check_rows(path)
    rows: dict[bytes, Row] = {}
    skipped = 0
    for row in read_rows(path):
        if row.fault:
            raise DataFileError(f"{path}:{row.line}: {row.fault}")
        try:
            inputs = dataset.spec.pick_inputs(row.values)
            label = dataset.spec.pick_label(row.values)
        except InputError as error:
            raise DataFileError(f"{path}:{row.line}: {error}") from None
        key = dataset.spec.key(inputs)
        if key in trained_on:
            skipped += 1
        elif label is not None:
            rows[key] = {**inputs, dataset.spec.target: label}
    if not rows:
        raise DataFileError(f"{path}: has no labelled row that was not used in training")
    return list(rows.values()), skipped


def _frame(dataset: Dataset, rows: list[Row], reads: tuple[str, ...], settings: Settings) -> Frame:
    """Return the frame of the rows, with the values of the enrichers in `reads`."""
    spec = dataset.spec
    enriched = _enrich(dataset, [dict(row) for row in rows], reads, settings)
    columns = columns_of(spec, {name: first_value(name, enriched) for name in reads})
    labels: list[Any] = [row[spec.target] for row in rows]
    keys = [spec.key(row) for row in rows]
    return Frame(
        keys=keys,
        inputs=[{name: row[name] for name in spec.fields} for row in rows],
        columns=columns,
        table=make_table(columns, enriched),
        labels=np.array(labels, dtype="f8" if spec.kind == "regression" else "U"),
        folds=np.array([fold_of(key) for key in keys]),
    )


def _enrich(
    dataset: Dataset, rows: list[dict[str, Any]], reads: tuple[str, ...], settings: Settings
) -> list[dict[str, Any]]:
    needed = _needed(dataset, reads, settings)
    for step in make_plan(dataset, None, find_enrichers(dataset.spec, settings.code_paths)):
        if step.name not in needed:
            continue
        read = find_enricher(dataset.spec, step.name, settings.code_paths).reads
        recipe = EnricherRecipe(encode_spec(dataset.spec), step.name, settings.code_paths)
        values = recipe.start()([{name: row[name] for name in read} for row in rows])
        for row, value in zip(rows, values, strict=True):
            row[step.name] = value
    return rows


def _needed(dataset: Dataset, reads: tuple[str, ...], settings: Settings) -> set[str]:
    """Return those enrichers and every enricher that they read, directly or indirectly."""
    needed, waiting = set[str](), list(reads)
    while waiting:
        name = waiting.pop()
        if name not in needed and name in dataset.spec.enrichers:
            needed.add(name)
            waiting += find_enricher(dataset.spec, name, settings.code_paths).reads
    return needed


def _student_answers(student: Student, frame: Frame) -> Any:  # noqa: ANN401
    if student.labels:
        return np.array([student.probabilities(inputs) for inputs in frame.inputs])
    return np.array([[student.number(inputs)] for inputs in frame.inputs])
