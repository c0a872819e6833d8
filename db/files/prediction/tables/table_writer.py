"""Write rows and their answers in another format than that of their file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from db.files.prediction.row_answer import RowAnswer

Row: TypeAlias = Mapping[str, Any]

# All digits of a decimal number, as a number.
_encode = msgspec.json.Encoder(decimal_format="number").encode


def csv_head(names: Sequence[str], added: Sequence[str]) -> str:
    """Return the header of a CSV file."""
    return _csv([[*names, *added]])


def csv_rows(
    names: Sequence[str], rows: Iterable[Row], answers: Iterable[RowAnswer], decimal: str
) -> str:
    """Return rows as CSV; `decimal` is the decimal mark of all numbers in them."""
    return _csv(
        [as_text(value, decimal) for value in (*(row.get(name) for name in names), *answer.cells())]
        for row, answer in zip(rows, answers, strict=True)
    )


def _csv(rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def json_rows(rows: Iterable[Row], answers: Iterable[RowAnswer], added: Sequence[str]) -> str:
    """Return a line of JSON for each row."""
    return "".join(
        _encode({**row, **dict(zip(added, answer.cells(), strict=True))}).decode() + "\n"
        for row, answer in zip(rows, answers, strict=True)
    )


def as_text(value: object, decimal: str) -> str | None:
    """Return a value as a cell of text; lists and objects are JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", decimal)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value).replace(".", decimal)
    return _encode(value).decode()
