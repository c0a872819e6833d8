"""A model that our commands have trained in a store of its own, as a user trains one."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from db.records.dataset import find_dataset
from db.records.models.trained_model import active_model, read_student
from db.scoring.student import Student
from db.scoring.student_data import decode_student
from db.settings import load_settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs
from db.store.store import open_store

from .metrics import Answers
from .table import Table, is_number

ROOT = Path(__file__).parent.parent.parent
TIMED_ANSWERS = 1000
ROUNDS = 9
MOST_WARNINGS = 2


@dataclass(frozen=True)
class TrainedModel:
    """The printed metrics of a trained model, its student, and what a reader should know.

    If other programs use the machine, the CPU seconds say more than the seconds.
    """

    train_seconds: float
    train_cpu_seconds: float
    evaluation: dict[str, Any]
    spec: DatasetSpec
    student: Student
    remarks: list[str] = field(default_factory=list)

    def read(self, held_out: Table) -> list[Inputs]:
        """Return the inputs of each held-out row; raises InputError if it cannot be read."""
        return [
            self.spec.pick_inputs(dict(zip(held_out.columns, row, strict=True)))
            for row in held_out.rows
        ]

    def answers(self, inputs: list[Inputs]) -> Answers:
        """Return the student's answers."""
        rows = [self.student.outputs(one) for one in inputs]
        return Answers(list(self.student.labels), np.array(rows))

    def microseconds(self, inputs: list[Inputs]) -> float:
        """Return the CPU microseconds of an answer of the student: the median round."""
        score = self.student.probabilities if self.student.labels else self.student.number
        rounds, timed = [], inputs[:TIMED_ANSWERS]
        for _ in range(ROUNDS):
            began = time.thread_time()
            for one in timed:
                score(one)
            rounds.append(time.thread_time() - began)
        # The first round fills caches.
        return statistics.median(rounds[1:]) / len(timed) * 1e6


def train_model(train: Table, held_out: Table, folder: Path) -> TrainedModel:
    """Infer, load, import, train and evaluate by command in a new store in the folder."""
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{folder}/quality.db"}
    files = folder / "train.csv", folder / "held-out.csv"
    for table, file in zip((train, held_out), files, strict=True):
        table.write(file)
    inferred = _load(environment, train, files[0])
    imported = _run(environment, "db", "import", train.name, str(files[0]))
    if inferred["spec"].get("enrichers"):
        _run(environment, "enrich", "once", train.name)
    began, began_cpu = time.monotonic(), _cpu_seconds()
    trained = _run(environment, "enrich", "train", train.name)
    seconds, cpu_seconds = time.monotonic() - began, _cpu_seconds() - began_cpu
    evaluation = _run(environment, "enrich", "evaluate", train.name, str(files[1]), "--every-row")
    spec, student = _read_student(environment, train.name)
    evaluation["estimator"] = trained["estimator"]
    remarks = list(_remarks(train, inferred, imported, evaluation, student))
    return TrainedModel(seconds, cpu_seconds, evaluation, spec, student, remarks)


def _cpu_seconds() -> float:
    """Return the CPU seconds of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _load(environment: Mapping[str, str], train: Table, file: Path) -> dict[str, Any]:
    """Infer the dataset of the training rows and load it; return what was inferred."""
    spec = file.with_name("dataset.toml")
    options = ["--target", train.target, "--name", train.name, "--out", str(spec)]
    _run(environment, "db", "upgrade")
    inferred = _run(environment, "db", "infer", str(file), *options)
    _run(environment, "db", "load", str(spec))
    return inferred


def _run(environment: Mapping[str, str], package: str, *arguments: str) -> dict[str, Any]:
    """Run `python -m PACKAGE ... --json` and return what it prints."""
    options = [] if arguments[0] in {"upgrade", "once"} else ["--json"]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", package, *arguments, *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return dict(json.loads(done.stdout)) if options else {}


def _read_student(environment: Mapping[str, str], name: str) -> tuple[DatasetSpec, Student]:
    store = open_store(load_settings(environment))
    try:
        with store.reading() as connection:
            dataset = find_dataset(connection, name)
            model = active_model(connection, dataset.id)
            assert model is not None  # noqa: S101  it was trained a moment ago
            stored = read_student(connection, model)
        return dataset.spec, Student(decode_student(stored.data, stored.sha256))
    finally:
        store.close()


def _remarks(
    train: Table,
    inferred: Mapping[str, Any],
    imported: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    student: Student,
) -> list[str]:
    """Return what the commands read otherwise than the peer, skipped or warned of."""
    spec = inferred["spec"]
    remarks = [f"infer leaves {name} out: {why}" for name, why in inferred["unused"].items()]
    warnings = inferred["warnings"]
    remarks += [f"infer warns: {warning}" for warning in warnings[:MOST_WARNINGS]]
    if len(warnings) > MOST_WARNINGS:
        remarks.append(f"infer warns of {len(warnings) - MOST_WARNINGS} more columns")
    for name, one in spec["fields"].items():
        kind = one.get("type", "text")
        expected = "number" if all(map(is_number, train.cells(one.get("column") or name))) else ""
        if kind != (expected or "choice"):
            remarks.append(f"infer reads {name} as {kind}")
    if spec["kind"] != train.kind:
        remarks.append(f"infer reads the target as {spec['kind']}")
    if skipped := imported["skipped"] + evaluation["skipped"]:
        remarks.append(f"{skipped} rows skipped")
    if not student.is_teacher:
        remarks.append("the teacher is another model: the comparison is the student's")
    return remarks
