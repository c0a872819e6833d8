"""A table of inputs and enrichments as a teacher sees it: a NumPy array with named columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from db.records.enrichment import Vector
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, ChoiceField, IntegerField, NumberField, TextField

Kind: TypeAlias = Literal["text", "choice", "number", "vector"]
# Column names in order, each with its kind.
Columns: TypeAlias = dict[str, Kind]
Table: TypeAlias = npt.NDArray[Any]

_KIND_OF_FIELD: dict[type, Kind] = {
    TextField: "text",
    ChoiceField: "choice",
    BooleanField: "choice",
    IntegerField: "number",
    NumberField: "number",
}


class Column(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Picks one column of a table, as the next step of a pipeline wants it.

    With `as_text`, as an array of n strings, which vectorizers take; else with n rows: choices
    and numbers in one column, vectors in as many as they have numbers.
    """

    def __init__(self, name: str, *, as_text: bool = False) -> None:
        self.name = name
        self.as_text = as_text

    def fit(self, X: Table, y: object = None) -> Column:  # noqa: ARG002, N803
        """Learn nothing."""
        return self

    def transform(self, X: Table) -> Table:  # noqa: N803
        """Return the column."""
        column: Table = X[self.name]
        return column if self.as_text or column.ndim > 1 else column.reshape(-1, 1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def columns_of(spec: DatasetSpec, example: Mapping[str, Any]) -> Columns:
    """Return the columns of a table: all fields, and those enrichments that a model can take."""
    columns: Columns = {name: _KIND_OF_FIELD[type(field)] for name, field in spec.fields.items()}
    for name, value in example.items():
        kind = _kind_of_value(value)
        if kind is not None:
            columns[name] = kind
    return columns


def _kind_of_value(value: object) -> Kind | None:
    if isinstance(value, Vector):
        return "vector"
    if isinstance(value, str | bool):
        return "choice"
    return "number" if isinstance(value, int | float) else None


def make_table(columns: Columns, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the rows as an array with named columns; a missing number is NaN, a vector 0."""
    types = [_type(name, kind, rows) for name, kind in columns.items()]
    table = np.empty(len(rows), dtype=np.dtype(types))
    for name, kind in columns.items():
        table[name] = _fill(kind, [row[name] for row in rows], table.dtype[name])
    return table


def _type(name: str, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    if kind == "vector":
        example = first_value(name, rows)
        return (name, "f4", (len(example.data) // 4 if example else 1,))
    return (name, "f8" if kind == "number" else "O")


def first_value(name: str, rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    """Return a column's first value that is one, None where there is none."""
    return next((row[name] for row in rows if row[name] is not None), None)


def _fill(kind: Kind, values: Sequence[Any], dtype: np.dtype[Any]) -> Any:  # noqa: ANN401
    if kind == "vector":
        nothing = bytes(dtype.itemsize)
        data = b"".join(nothing if value is None else value.data for value in values)
        return np.frombuffer(data, dtype="<f4").reshape(len(values), *dtype.shape)
    if kind == "number":
        return [np.nan if value is None else float(value) for value in values]
    return [str(value) for value in values]
