"""Datasets with two versions of a model made by hand, and their out-of-fold answers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.models.model_versions import NewModel, activate_model, add_model
from db.scoring.student_data import Artifact, StudentData, encode_student
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store

from .conftest import register
from .hand_made_student import RENTS, TONES, rents, tones

LABELS = ("happy", "sad")
PLAIN_TONES = msgspec.structs.replace(TONES, enrichers={})


def packed_answers(
    keys: Sequence[bytes], rows: Sequence[Sequence[float]], labels: Sequence[str] = LABELS
) -> bytes:
    """Return out-of-fold answers as the store has them; teacher and student answer alike."""
    letter = "f" if labels else "d"
    packed = b"".join(struct.pack(f"<{len(row)}{letter}", *row) for row in rows)
    fields = {"labels": list(labels), "keys": b"".join(keys), "teacher": packed, "student": packed}
    return zlib.compress(msgspec.msgpack.encode(fields))


def label_metrics(confusion: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return metrics of a classification with two labels, from its confusion matrix."""
    rows = sum(map(sum, confusion))
    totals = [sum(row) for row in confusion]
    scores = {
        label: {
            "precision": row[at] / (sum(column[at] for column in confusion) or 1),
            "recall": row[at] / (sum(row) or 1),
            "f1": 0.5,
            "rows": sum(row),
        }
        for at, (label, row) in enumerate(zip(LABELS, confusion, strict=True))
    }
    accuracy = sum(row[at] for at, row in enumerate(confusion)) / rows
    macro = {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    teacher = {"accuracy": accuracy, "rows": rows, "macro": macro, "labels": scores}
    return {
        "rows": rows,
        "records": rows,
        "labels": list(LABELS),
        "columns": {"sentence": "text", "town": "choice"},
        "estimator": "linear",
        "teacher": {**teacher, "confusion": [list(row) for row in confusion]},
        "student": teacher,
        "baseline": {"accuracy": max(totals) / rows, "macro": macro},
        "beats_baseline": True,
    }


def number_metrics(mae: float, r2: float = 0.9) -> dict[str, Any]:
    """Return metrics of a regression."""
    score = {"r2": r2, "mse": 2 * mae**2, "rmse": 1.4 * mae, "mae": mae, "rows": 40}
    baseline = {"r2": 0.0, "mse": 200.0, "rmse": 14.1, "mae": 10.0, "rows": 40}
    roles = {"teacher": score, "student": score, "baseline": baseline}
    return {"rows": 40, "records": 40, "labels": [], "beats_baseline": r2 > 0, **roles}


def add_version(
    store: Store,
    dataset: Dataset,
    data: StudentData,
    metrics: dict[str, Any],
    out_of_fold: bytes,
    **more: Any,  # noqa: ANN401  fields of NewModel
) -> int:
    """Add a version and activate it; return its number."""
    new = NewModel(
        metrics,
        more.pop("reads", {}),
        Artifact(*encode_student(data)),
        Artifact(b"", ""),
        out_of_fold,
        **more,
    )
    with store.writing() as connection:
        version = add_model(connection, dataset.id, new)
        activate_model(connection, dataset, version)
    return version


def add_labelled(store: Store, dataset: Dataset, labels: Sequence[str]) -> list[bytes]:
    """Add a record for each label; return their keys in order."""
    spec, rows = dataset.spec, []
    for at, label in enumerate(labels):
        inputs = spec.read_inputs(_inputs(spec, at))
        rows.append(NewRow(spec.key(inputs), inputs, label, str(at) if spec.id else None))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return [row.key for row in rows]


def _inputs(spec: DatasetSpec, at: int) -> dict[str, Any]:
    first = f"sentence {at}" if "sentence" in spec.fields else 10 + at
    return dict(zip(spec.fields, (first, "Lyon"), strict=True))


def make_tones(store: Store) -> Dataset:
    """Return a dataset of which version 2 mends ten of 40 records and breaks two."""
    dataset = register(store, PLAIN_TONES)
    labels = ["happy", "sad"] * 20
    keys = add_labelled(store, dataset, labels)
    old = [_sure_of(label, is_right=at >= 10) for at, label in enumerate(labels)]
    new = [_sure_of(label, is_right=at < 38) for at, label in enumerate(labels)]
    add_version(
        store, dataset, tones(), label_metrics([[15, 5], [5, 15]]), packed_answers(keys, old)
    )
    add_version(
        store, dataset, tones(), label_metrics([[19, 1], [1, 19]]), packed_answers(keys, new)
    )
    return dataset


def _sure_of(label: str, *, is_right: bool) -> tuple[float, float]:
    return (0.9, 0.1) if (label == "happy") == is_right else (0.1, 0.9)


def make_rents(store: Store) -> Dataset:
    """Return a dataset of which version 2 is off by 1 where version 1 was off by 5."""
    dataset = register(store, RENTS)
    labels = [str(700 + 3 * at) for at in range(40)]
    keys = add_labelled(store, dataset, labels)
    for distance in (5.0, 1.0):
        rows = [(float(label) + distance * (-1) ** at,) for at, label in enumerate(labels)]
        add_version(
            store, dataset, rents(), number_metrics(distance), packed_answers(keys, rows, ())
        )
    return dataset
