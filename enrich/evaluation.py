"""A model held against labelled rows that it was never trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from db.errors import DataFileError, InputError, TrainingError
from db.files.reader import check_rows, read_rows
from db.records.dataset import Dataset, find_dataset
from db.records.model import active_model, model_name, read_out_of_fold, read_student, read_teacher
from db.scoring.student import Student, decode_student
from db.settings import Settings
from db.spec.dataset_spec import encode_spec
from db.spec.key import fold_of
from db.store.engine import Store
from enrich.enrichers.base import Row, find_enricher, find_enrichers
from enrich.executors.recipe import EnricherRecipe
from enrich.learning.column import columns_of, first_value, make_table
from enrich.learning.cross_validation import OutOfFold, answer, decode_out_of_fold, number_type
from enrich.learning.frame import Frame
from enrich.learning.report import report_on
from enrich.learning.teacher import load_teacher
from enrich.planning.maintenance import lost_reads
from enrich.planning.plan import make_plan


def evaluate_file(store: Store, name: str, path: Path, settings: Settings) -> dict[str, Any]:
    """Return the active model's metrics on a file's rows; rows that it was trained on are left out.

    Enrichments that the teacher reads are computed here and not kept.
    """
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        model = active_model(connection, dataset.id)
        if model is None:
            raise TrainingError(f"{name} has no model yet; run: python -m enrich train {name}")
        packed, kept = read_student(connection, model), read_teacher(connection, model)
        seen = _keys(read_out_of_fold(connection, model))
    lost = lost_reads(model, dataset.spec)
    if lost:
        raise TrainingError(
            f"{name}: the teacher reads {lost}, which the spec no longer names;"
            f" run: python -m enrich train {name}"
        )
    rows, skipped = _read(dataset, path, seen)
    frame = _frame(dataset, rows, tuple(model.reads), settings)
    student = Student(decode_student(packed.data, packed.sha256))
    teacher = load_teacher(kept, settings.code_paths)
    names = list(student.labels)
    given = OutOfFold(
        labels=names,
        keys=b"".join(frame.keys),
        teacher=answer(teacher, frame.table, names).astype(number_type(names)).tobytes(),
        student=_student_answers(student, frame).astype(number_type(names)).tobytes(),
    )
    report = report_on(frame, given)
    title = model_name(dataset, model.version)
    known = {name: model.metrics[name] for name in ("estimator", "target")}
    return {"model": title, "seen": skipped, **known, **report}


def _keys(out_of_fold: bytes | None) -> set[bytes]:
    return set(decode_out_of_fold(out_of_fold).answers("teacher")) if out_of_fold else set()


def _read(dataset: Dataset, path: Path, seen: set[bytes]) -> tuple[list[Row], int]:
    """Return the labelled rows by key, and how many training has seen."""
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
        if key in seen:
            skipped += 1
        elif label is not None:
            rows[key] = {**inputs, dataset.spec.target: label}
    if not rows:
        raise DataFileError(f"{path}: has no labelled row that training has not seen")
    return list(rows.values()), skipped


def _frame(dataset: Dataset, rows: list[Row], reads: tuple[str, ...], settings: Settings) -> Frame:
    spec = dataset.spec
    filled = _enrich(dataset, [dict(row) for row in rows], reads, settings)
    columns = columns_of(spec, {name: first_value(name, filled) for name in reads})
    labels: list[Any] = [row[spec.target] for row in rows]
    keys = [spec.key(row) for row in rows]
    return Frame(
        keys=keys,
        inputs=[{name: row[name] for name in spec.fields} for row in rows],
        columns=columns,
        table=make_table(columns, filled),
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
    """Return those enrichers and all that they read."""
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
