"""The table of inputs and enrichments that a teacher reads: a NumPy array with named columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer

from db.scoring.packed_numbers import Vector
from db.spec.dataset_spec import DatasetSpec, date_fields
from db.spec.dates.date_value import DATE_PARTS, TIME_WORDS, date_parts, date_words, part_name
from db.spec.field import BooleanField, ChoiceField, IntegerField, NumberField, TextField
from db.spec.validation import LARGEST_NUMBER

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
# A text or a choice that is missing; no other is empty.
MISSING = ""


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


class Numbers(Column):
    """Selects a column of numbers for trees; one without any number in training is all zeros.

    Gradient boosting cannot read a column that has only missing numbers.
    """

    def fit(self, X: Table, y: object = None) -> Numbers:  # noqa: ARG002, N803
        """Remember whether the column has a number."""
        self.is_empty_ = bool(np.isnan(X[self.name]).all())
        return self

    def transform(self, X: Table) -> Table:  # noqa: N803
        """Return the column."""
        column = super().transform(X)
        return np.zeros_like(column) if self.is_empty_ else column

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "is_empty_")


class Missing(Column):
    """Says of each row whether a text is missing, as one column of 0 or 1."""

    def transform(self, X: Table) -> Table:  # noqa: N803
        """Return the column."""
        is_missing: Table = X[self.name] == MISSING
        return is_missing.astype(float).reshape(-1, 1)


class WordWeights(TfidfVectorizer):  # type: ignore[misc]
    """Weighs the words of texts; texts with no word in common have no columns."""

    def fit(self, raw_documents: Any, y: object = None) -> WordWeights:  # noqa: ANN401
        """Learn the words and their weights."""
        self.fit_transform(raw_documents, y)
        return self

    def fit_transform(self, raw_documents: Any, y: object = None) -> Any:  # noqa: ANN401
        """Learn the words, and return their weights, texts by words."""
        self.has_words_ = True
        try:
            return super().fit_transform(raw_documents, y)
        except ValueError:
            # scikit-learn refuses a column whose few texts leave no word to learn.
            self.has_words_ = False
            return self.transform(raw_documents)

    def transform(self, raw_documents: Any) -> Any:  # noqa: ANN401
        """Return the weights of the words, texts by words."""
        if self.has_words_:
            return super().transform(raw_documents)
        return sparse.csr_matrix((len(raw_documents), 0))


class FrequentWords(WordWeights):
    """The same as a dense array, which trees need."""

    def fit_transform(self, raw_documents: Any, y: object = None) -> Any:  # noqa: ANN401
        """Learn the words, and return their weights, texts by words."""
        weights = super().fit_transform(raw_documents, y)
        return weights.toarray() if sparse.issparse(weights) else weights

    def transform(self, raw_documents: Any) -> Any:  # noqa: ANN401
        """Return the weights of the words, texts by words."""
        return super().transform(raw_documents).toarray()


def columns_of(spec: DatasetSpec, example: Mapping[str, Any]) -> Columns:
    """Return the columns of a table: all fields, and the enrichments that a teacher can read.

    A date field `day` has the number columns day.days (since 1970), day.year and day.day, and the
    choice columns day.month (01 to 12), day.weekday (1 is Monday) and, with a time of day, day.hour
    (00 to 23). `example` has one value of each enrichment, which decides its kind.
    """
    dates = dict(date_fields(spec))
    columns: Columns = {}
    for name, field in spec.fields.items():
        if name in dates:
            columns |= _date_columns(name, has_time=dates[name])
        else:
            columns[name] = _KIND_OF_FIELD[type(field)]
    for name, value in example.items():
        kind = _kind_of_value(value)
        if kind is not None:
            columns[name] = kind
    return columns


def is_input(spec: DatasetSpec, column: str) -> bool:
    """Return whether a column is a field or a part of a date, and not an enrichment."""
    return column.partition(".")[0] in spec.fields


def _date_columns(name: str, *, has_time: bool) -> Columns:
    numbers: Columns = {part_name(name, part): "number" for part in DATE_PARTS}
    return numbers | {part_name(name, part): "choice" for part in date_words(has_time=has_time)}


def _kind_of_value(value: object) -> Kind | None:
    if isinstance(value, Vector):
        return "vector"
    if isinstance(value, str | bool):
        return "choice"
    return "number" if isinstance(value, int | float) else None


def make_table(columns: Columns, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the rows as an array with named columns.

    A missing number is NaN, a missing vector is all zeros, any other missing value is "". A value
    of another kind than its column's counts as missing.
    """
    types = [_column_type(name, kind, rows) for name, kind in columns.items()]
    table = np.empty(len(rows), dtype=np.dtype(types))
    for name, kind in columns.items():
        table[name] = _cells(kind, _values(name, rows), table.dtype[name])
    return table


def _values(name: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the values of a column; that of day.month is the month of the date in `day`."""
    field, _, part = name.partition(".")
    if not part:
        return [row[name] for row in rows]
    return [date_parts(row[field], has_time=part in TIME_WORDS)[part] for row in rows]


def _column_type(name: str, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    if kind == "vector":
        return (name, "f4", (_usual_size(_values(name, rows)),))
    return (name, "f8" if kind == "number" else "O")


def _usual_size(values: Sequence[Any]) -> int:
    """Return the most frequent number of dimensions."""
    sizes = Counter(len(value.data) // 4 for value in values if isinstance(value, Vector))
    return max(sizes, key=sizes.__getitem__, default=1)


def usual_value(name: str, rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    """Return a value of the kind that most values of a column have, None if there is none."""
    kinds: Counter[Kind | None] = Counter()
    examples: dict[Kind | None, Any] = {}
    for row in rows:
        if (value := row[name]) is not None:
            kind = _kind_of_value(value)
            kinds[kind] += 1
            examples.setdefault(kind, value)
    return examples[max(kinds, key=kinds.__getitem__)] if kinds else None


def unread_counts(
    columns: Columns, rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, int]:
    """Return how many values of each enrichment are of another kind than its column, if any.

    They count as missing.
    """
    counts = {}
    for name in names:
        if columns.get(name) in {"number", "vector"}:
            given = [row[name] for row in rows if row[name] is not None]
            size = _usual_size(given)
            is_read = _is_vector_of(size) if columns[name] == "vector" else _is_number
            counts[name] = sum(not is_read(value) for value in given)
    return {name: count for name, count in counts.items() if count}


def _is_vector_of(size: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Vector) and len(value.data) == 4 * size


def _is_number(value: object) -> bool:
    return not np.isnan(_number(value))


def _cells(kind: Kind, values: Sequence[Any], dtype: np.dtype[Any]) -> Any:  # noqa: ANN401
    if kind == "vector":
        zeros = bytes(dtype.itemsize)
        data = b"".join(
            value.data if isinstance(value, Vector) and len(value.data) == len(zeros) else zeros
            for value in values
        )
        return np.frombuffer(data, dtype="<f4").reshape(len(values), *dtype.shape)
    if kind == "number":
        return [_number(value) for value in values]
    return [MISSING if value is None else str(value) for value in values]


def _number(value: object) -> float:
    """Return a number, NaN for what is missing, too large, or of another kind."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan
    # Inputs have this limit already; a service can answer any number.
    return number if -LARGEST_NUMBER <= number <= LARGEST_NUMBER else np.nan


def feature_counts(columns: Columns, table: Table) -> dict[str, int]:
    """Return how many features a linear model makes of each column; 0 for a text."""
    return {name: _feature_count(kind, table[name]) for name, kind in columns.items()}


def _feature_count(kind: Kind, column: Table) -> int:
    if kind == "choice":
        return len(set(column.tolist()))
    if kind == "vector":
        return int(column.shape[1])
    # A missing number has a feature of its own.
    return 1 + bool(np.isnan(column).any()) if kind == "number" else 0
