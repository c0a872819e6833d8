"""The table of inputs and enrichments that a teacher reads: a NumPy array with named columns."""

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
# The kind of each column by name, in order.
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
    """Selects one column of a table for the next step of a pipeline.

    With `as_text` the result is an array of n strings, for vectorizers. Otherwise it has n rows:
    one column for choices and numbers, one column per dimension for vectors.
    """

    def __init__(self, name: str, *, as_text: bool = False) -> None:
        self.name = name
        self.as_text = as_text

    def fit(self, X: Table, y: object = None) -> Column:  # noqa: ARG002, N803
        """Do nothing: the column is known by its name."""
        return self

    def transform(self, X: Table) -> Table:  # noqa: N803
        """Return the column."""
        column: Table = X[self.name]
        return column if self.as_text or column.ndim > 1 else column.reshape(-1, 1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def columns_of(spec: DatasetSpec, example: Mapping[str, Any]) -> Columns:
    """Return the columns of a table: all fields, and the enrichments that a teacher can read.

    `example` has one value of each enrichment, which decides its kind.
    """
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
    """Return the rows as an array with named columns.

    A missing number is NaN, a missing vector is all zeros.
    """
    types = [_column_type(name, kind, rows) for name, kind in columns.items()]
    table = np.empty(len(rows), dtype=np.dtype(types))
    for name, kind in columns.items():
        table[name] = _cells(kind, [row[name] for row in rows], table.dtype[name])
    return table


def _column_type(name: str, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    if kind == "vector":
        example = first_value(name, rows)
        return (name, "f4", (len(example.data) // 4 if example else 1,))
    return (name, "f8" if kind == "number" else "O")


def first_value(name: str, rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    """Return the first value of a column that is not None, None if there is no such value."""
    return next((row[name] for row in rows if row[name] is not None), None)


def _cells(kind: Kind, values: Sequence[Any], dtype: np.dtype[Any]) -> Any:  # noqa: ANN401
    if kind == "vector":
        zeros = bytes(dtype.itemsize)
        data = b"".join(zeros if value is None else value.data for value in values)
        return np.frombuffer(data, dtype="<f4").reshape(len(values), *dtype.shape)
    if kind == "number":
        return [np.nan if value is None else float(value) for value in values]
    return [str(value) for value in values]
