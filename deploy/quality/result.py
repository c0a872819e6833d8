"""The result of one table: the metrics of peer, teacher and student, and their comparison."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .metrics import Comparison, compare
from .peer import answer_of_peer
from .table import Kind, Table
from .trained_model import TrainedModel, train_model

# A student with a loss so many times the teacher's is as good as the teacher.
NEAR = 1.01


@dataclass(frozen=True)
class Result:
    """Metrics on the held-out rows; `comparison` is that of the student with the peer."""

    table: str
    kind: Kind
    rows: int
    held_out_rows: int
    columns: int
    estimator: str
    peer: dict[str, float]
    teacher: dict[str, float]
    student: dict[str, float]
    comparison: Comparison
    student_is_teacher: bool
    peer_seconds: float
    train_seconds: float
    train_cpu_seconds: float
    microseconds: float
    remarks: list[str]

    @property
    def student_is_near(self) -> bool:
        """Whether the student's RMSE or log loss is within 1 % of the teacher's."""
        loss = "rmse" if self.kind == "regression" else "log_loss"
        return self.student[loss] <= NEAR * self.teacher[loss]


def measure(table: Table, seed: int) -> Result:
    """Train the peer and our model on a table, and compare them on its held-out rows."""
    train, held_out = table.split(seed)
    truth = held_out.cells(table.target)
    began = time.monotonic()
    peer = answer_of_peer(train, held_out)
    peer_seconds = time.monotonic() - began
    with tempfile.TemporaryDirectory() as folder:
        model = train_model(train, held_out, Path(folder))
    inputs = model.read(held_out)
    answers = model.answers(inputs)
    return Result(
        table=table.name,
        kind=table.kind,
        rows=len(table.rows),
        held_out_rows=len(truth),
        columns=len(table.inputs),
        estimator=model.evaluation["estimator"],
        peer=peer.metrics(truth),
        teacher=_evaluated(model, "teacher"),
        student=answers.metrics(truth) | _coverage(model, "student"),
        comparison=compare(answers.losses(truth), peer.losses(truth)),
        student_is_teacher=model.student.is_teacher,
        peer_seconds=peer_seconds,
        train_seconds=model.train_seconds,
        train_cpu_seconds=model.train_cpu_seconds,
        microseconds=model.microseconds(inputs),
        remarks=[*model.remarks, *_doubts(model, answers.metrics(truth))],
    )


def _evaluated(model: TrainedModel, name: str) -> dict[str, float]:
    """Return what `enrich evaluate` printed, by the names of `Answers.metrics`."""
    printed: dict[str, Any] = model.evaluation[name]
    if not model.student.labels:
        return {"r2": printed["r2"], "rmse": printed["rmse"], **_coverage(model, name)}
    macro = {"macro_f1": printed["macro"]["f1"]}
    names = ("accuracy", "log_loss", "calibration_error")
    return {key: printed[key] for key in names} | macro


def _doubts(model: TrainedModel, measured: dict[str, float]) -> Iterator[str]:
    """Yield a remark if `enrich evaluate` printed other metrics of the student than measured."""
    for name, printed in _evaluated(model, "student").items():
        if name in measured and not math.isclose(printed, measured[name], rel_tol=1e-3):
            yield f"evaluate printed {name} {printed:.4g} of the student, not {measured[name]:.4g}"


def _coverage(model: TrainedModel, name: str) -> dict[str, float]:
    printed = model.evaluation[name]
    return {key: printed[key] for key in ("coverage", "interval_width") if key in printed}
