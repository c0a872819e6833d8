"""The columns of a table of predictions: what is created, and what an existing table can hold."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    FLOAT,
    REAL,
    BigInteger,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.types import NullType, TypeEngine

from db.errors import ExchangeError
from db.spec.dataset_spec import MAX_ROW_ID_CHARACTERS, DatasetSpec

from .publication_rows import Value, number_names, value_names

Kind: TypeAlias = Literal["id", "text", "number", "time"]
Stored: TypeAlias = str | int | float | None

_ADVICE = {
    "id": "TEXT, or an integer if all ids are whole numbers",
    "text": "TEXT",
    "number": "DOUBLE PRECISION",
    "time": "TIMESTAMP",
}
# Enough for the digits of every float.
_DIGITS = Context(prec=400)
# Equal texts must be equal bytes: by default these databases ignore case and accents.
_EXACT = {"mysql": "utf8mb4_bin", "mariadb": "utf8mb4_bin"}


@dataclass(frozen=True)
class TableColumn:
    """A column of the destination, whose name may differ from ours in upper and lower case.

    `is_single` says that it holds single precision, `scale` how many decimal places it keeps,
    `length` how many characters and `limit` how large an integer. None means no such limit.
    """

    name: str
    kind: Kind
    type: TypeEngine[Any]
    is_single: bool = False
    scale: int | None = None
    length: int | None = None
    limit: int | None = None

    def fit(self, value: Value) -> Stored:
        """Return a value as the column will return it; raises ExchangeError if it cannot hold it.

        A value that is written and read back must be equal to what is written the next time.
        """
        if isinstance(value, str):
            return self._integer(value) if self.limit else self._text(value)
        if value is None:
            return None
        if self.scale is not None:
            place = Decimal(1).scaleb(-self.scale)
            value = float(Decimal(repr(value)).quantize(place, ROUND_HALF_UP, _DIGITS))
        return self._single(value) if self.is_single else value

    def read(self, stored: Any) -> Stored:  # noqa: ANN401
        """Return a value that a query returned, as `fit` would have written it."""
        if stored is None or self.kind == "time":
            return None
        if self.kind == "number":
            # PostgreSQL returns the shortest digits that mean the number of single precision.
            return self._single(float(stored)) if self.is_single else float(stored)
        # CHAR columns are padded with spaces.
        return int(stored) if self.limit else str(stored).rstrip(" ")

    def _text(self, text: str) -> str:
        if self.length is not None and len(text) > self.length:
            raise ExchangeError(
                f"column {self.name} holds {self.length} characters, and {text!r} has"
                f" {len(text)}; make the column longer"
            )
        return text

    def _integer(self, text: str) -> int:
        limit = self.limit or 0
        # Of other spellings, such as 007, two could become the same integer.
        number = int(text) if text.removeprefix("-").isdecimal() and text.isascii() else None
        if number is None or str(number) != text or not -limit <= number < limit:
            raise ExchangeError(
                f"column {self.name} is an integer and cannot hold the id {text!r}; use a table"
                " whose id is TEXT"
            )
        return number

    def _single(self, number: float) -> float:
        try:
            return float(struct.unpack("<f", struct.pack("<f", number))[0])
        except OverflowError:
            raise ExchangeError(
                f"column {self.name} is of single precision and cannot hold {number}; use DOUBLE"
                " PRECISION"
            ) from None


def column_kinds(spec: DatasetSpec) -> dict[str, Kind]:
    """Return our columns with the kind of their values."""
    numbers = number_names(spec)
    values: dict[str, Kind] = {
        name: "number" if name in numbers else "text" for name in value_names(spec)
    }
    return {"id": "id", **values, "predicted_at": "time"}


def new_type(kind: Kind, dialect: str) -> TypeEngine[Any]:
    """Return the type of a column of a table that is created."""
    if kind == "number":
        return Double()
    if kind == "time":
        return DateTime(timezone=dialect == "postgresql")
    collation = _EXACT.get(dialect)
    if kind == "id" and collation:
        # These databases have no primary keys of unbounded length.
        return String(MAX_ROW_ID_CHARACTERS, collation=collation)
    return Text(collation=collation)


def match_columns(
    table: str, spec: DatasetSpec, found: Mapping[str, TypeEngine[Any]], dialect: str
) -> dict[str, TableColumn]:
    """Return our columns of an existing table by our names; raises ExchangeError.

    A column that is missing, or whose type cannot hold our values, is named in the error.
    """
    by_name = {name.lower(): name for name in found} | {name: name for name in found}
    kinds = column_kinds(spec)
    missing = [name for name in kinds if name not in by_name]
    if missing:
        raise ExchangeError(
            f"table {table}: has no column {missing[0]}; it needs the columns {', '.join(kinds)};"
            " add it, or name a table that is not there yet, which is then created"
        )
    return {
        name: _match(table, by_name[name], kind, found[by_name[name]], dialect)
        for name, kind in kinds.items()
    }


def _match(table: str, name: str, kind: Kind, found: TypeEngine[Any], dialect: str) -> TableColumn:
    column = None
    if kind == "number":
        column = _number_column(name, found, dialect)
    elif kind == "time":
        column = _time_column(name, found, dialect)
    elif kind == "id" and isinstance(found, Integer):
        column = TableColumn(name, kind, BigInteger(), limit=_limit(found, dialect))
    elif isinstance(found, String) and not isinstance(found, Enum):
        # SQLite keeps texts of any length in every column of texts.
        length = None if dialect == "sqlite" else found.length
        column = TableColumn(name, kind, Text(), length=length)
    if column is None:
        raise ExchangeError(
            f"table {table}: column {name} is {_spelt(found)}, which cannot hold its values; it"
            f" must be {_ADVICE[kind]}"
        )
    return column


def _number_column(name: str, found: TypeEngine[Any], dialect: str) -> TableColumn | None:
    if not isinstance(found, Numeric | Float):
        return None
    if dialect == "sqlite":
        # Every number is of double precision there.
        return TableColumn(name, "number", Double())
    # FLOAT and DOUBLE of MySQL may have decimal places too.
    scale: int | None = getattr(found, "scale", None)
    if scale == 0:
        # Without decimal places a number would lose what it says.
        return None
    is_single = isinstance(found, Float) and _is_single(found, dialect)
    return TableColumn(name, "number", Double(), is_single=is_single, scale=scale)


def _is_single(found: Float[Any], dialect: str) -> bool:
    return isinstance(found, REAL) or (isinstance(found, FLOAT) and dialect in _EXACT)


def _time_column(name: str, found: TypeEngine[Any], dialect: str) -> TableColumn | None:
    is_text = dialect == "sqlite" and isinstance(found, String)
    if not (isinstance(found, DateTime) or is_text):
        return None
    zoned = dialect == "postgresql" and bool(getattr(found, "timezone", False))
    return TableColumn(name, "time", DateTime(timezone=zoned))


def _limit(found: Integer, dialect: str) -> int:
    """Return the number that ids of an integer column must be below, and not below its negative."""
    bits = 64 if isinstance(found, BigInteger) or dialect == "sqlite" else 32
    if isinstance(found, SmallInteger) and dialect != "sqlite":
        bits = 16
    return int(2 ** (bits if getattr(found, "unsigned", False) else bits - 1))


def _spelt(found: TypeEngine[Any]) -> str:
    """Return the name of a type, which types that a dialect does not know lack."""
    return "of no known type" if isinstance(found, NullType) else type(found).__name__
