"""Evaluation of the active model on the labelled rows of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from db.errors import DataFileError, InputError, TrainingError
from db.files.column_check import missing_columns
from db.files.reader import BadRows, SourceRow, check_rows, open_source
from db.records.dataset import Dataset, find_dataset
from db.records.models.model_versions import read_out_of_fold
from db.records.models.trained_model import active_model, model_name, read_student, read_teacher
from db.scoring.student import Student
from db.scoring.student_data import decode_student
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.stored_spec import encode_spec
from db.store.store import Store
from db.versions.activation import lost_reads
from enrich.enrichers.base import find_enricher, find_enrichers
from enrich.executors.recipe import EnricherRecipe
from enrich.learning.quality.out_of_fold import decode_out_of_fold, pack_answers
from enrich.learning.quality.report import Intervals, report_on
from enrich.learning.teacher import answer
from enrich.learning.teacher_file import load_teacher
from enrich.learning.training_table import Frame, make_frame
from enrich.planning.model_versions import why_unusable
from enrich.planning.plan import make_plan

# One row has no variance to explain.
FEWEST_ROWS = 2


@dataclass
class _Rows(BadRows):
    """The rows of a file: inputs and labels by key, and how many rows were left out and why."""

    inputs: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    labels: dict[bytes, list[str]] = field(default_factory=dict)
    # Rows with inputs that the model was trained on.
    seen: int = 0
    notes: list[str] = field(default_factory=list)


def evaluate_file(
    store: Store, name: str, path: Path, settings: Settings, *, every_row: bool = False
) -> dict[str, Any]:
    """Return the active model's metrics on a file's labelled rows that it was not trained on.

    With `every_row`, rows with inputs that it was trained on count as well. The enrichments that
    the teacher reads are computed here and not stored. A row that cannot be read is skipped,
    counted and described. Raises TrainingError without a usable model, DataFileError if too few
    rows are left.
    """
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        model = active_model(connection, dataset.id)
        if model is None:
            raise TrainingError(f"{name} has no model yet; run: python -m enrich train {name}")
        stored_student = read_student(connection, model)
        stored_teacher = read_teacher(connection, model)
        trained_on = set() if every_row else _keys(read_out_of_fold(connection, model))
    lost = lost_reads(model, dataset.spec)
    if lost:
        raise TrainingError(
            f"{name}: the teacher reads {lost}, which the spec no longer names;"
            f" run: python -m enrich train {name}"
        )
    if unusable := why_unusable(dataset, model):
        raise TrainingError(f"{unusable}; run: python -m enrich train {name}")
    rows = _read(dataset, path, trained_on)
    frame = _frame(dataset, rows, tuple(model.reads), settings)
    student = Student(decode_student(stored_student.data, stored_student.sha256))
    names = list(student.labels)
    by_student = by_teacher = np.array([student.outputs(one) for one in frame.inputs])
    if stored_teacher:
        teacher = load_teacher(stored_teacher, settings.code_paths)
        by_teacher = answer(teacher, frame.table, names, student.lowest, student.teacher_factor)
    answers = pack_answers(names, frame.keys, by_teacher, by_student)
    intervals: Intervals = {
        "teacher": student.teacher_interval,
        "student": student.interval,
    }
    from_training = {name: model.metrics[name] for name in ("estimator", "target")}
    return {
        "model": model_name(dataset, model.version),
        "seen": rows.seen,
        "skipped": rows.bad,
        "faults": rows.faults,
        "notes": rows.notes,
        **from_training,
        **report_on(frame, answers, intervals),
    }


def _keys(out_of_fold: bytes | None) -> set[bytes]:
    """Return the keys of the records that a model was trained on."""
    return set(decode_out_of_fold(out_of_fold).split_keys()) if out_of_fold else set()


def _read(dataset: Dataset, path: Path, trained_on: set[bytes]) -> _Rows:
    """Return the labelled rows whose inputs were not used in training."""
    rows = _Rows()
    with open_source(path) as source:
        if missing := missing_columns(dataset.spec, source, source.layout()):
            rows.notes.append(f"the file has no column {', '.join(missing)}")
        check_rows(source)
        for row in source.rows():
            _add_row(dataset.spec, row, trained_on, rows, source.name)
    if sum(map(len, rows.labels.values())) < FEWEST_ROWS:
        raise DataFileError(f"{path}: {_why_too_few(dataset.spec.target, rows)}")
    return rows


def _add_row(
    spec: DatasetSpec, row: SourceRow, trained_on: set[bytes], rows: _Rows, source: str
) -> None:
    if row.fault:
        rows.add_fault(source, row.line, row.fault)
        return
    try:
        inputs, label = spec.pick_inputs(row.values), spec.pick_label(row.values)
    except InputError as error:
        rows.add_fault(source, row.line, str(error))
        return
    key = spec.key(inputs)
    if key in trained_on:
        rows.seen += 1
    elif label is not None:
        rows.inputs[key] = inputs
        rows.labels.setdefault(key, []).append(label)


def _why_too_few(target: str, rows: _Rows) -> str:
    if rows.bad:
        return f"has fewer than {FEWEST_ROWS} usable rows; the first bad one: {rows.faults[0]}"
    if rows.seen:
        return (
            "the model was trained on the inputs of nearly all rows; to evaluate it on them"
            " nevertheless, add --every-row"
        )
    return f"has fewer than {FEWEST_ROWS} rows with a value for {target}"


def _frame(dataset: Dataset, rows: _Rows, reads: tuple[str, ...], settings: Settings) -> Frame:
    """Return the frame of the rows, with the values of the enrichers in `reads`."""
    enriched = _enrich(dataset, [dict(inputs) for inputs in rows.inputs.values()], reads, settings)
    records = [(key, inputs, rows.labels[key]) for key, inputs in rows.inputs.items()]
    return make_frame(dataset.spec, records, enriched, reads)


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
