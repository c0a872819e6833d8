"""Frames and specs for the tests of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Field
from enrich.learning.training_table import Frame, make_frame


def spec_of(kind: Literal["classification", "regression"], **fields: Field) -> DatasetSpec:
    """Return a spec with these fields and the target `y`."""
    return DatasetSpec(name="rooms", kind=kind, target="y", fields=dict(fields))


def frame_of(spec: DatasetSpec, rows: Sequence[Mapping[str, Any]]) -> Frame:
    """Return the frame of rows with the target `y`; rows with equal inputs are one record."""
    inputs: dict[bytes, dict[str, Any]] = {}
    labels: dict[bytes, list[str]] = {}
    for row in rows:
        read = spec.pick_inputs(row)
        key = spec.key(read)
        inputs.setdefault(key, read)
        labels.setdefault(key, []).append(spec.read_label(row["y"]) or "")
    records = [(key, inputs[key], labels[key]) for key in inputs]
    return make_frame(spec, records, list(inputs.values()), [])


def no_rows(spec: DatasetSpec) -> Frame:
    """Return a frame without records."""
    return make_frame(spec, [], [], [])


def unlabelled_of(spec: DatasetSpec, inputs: Sequence[dict[str, Any]]) -> Frame:
    """Return the frame of records without a label."""
    return make_frame(spec, [(spec.key(one), one, ()) for one in inputs], inputs, [])


def silent(note: str, records: int) -> None:
    """Ignore the progress of training."""
