"""The values of sources that have types, as the values of a row: Parquet, Excel, SQL."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import Any

from .formats.json_reader import flat_row
from .source_file import SourceRow

_MIDNIGHT = time()


def typed_row(line: int, names: Iterable[str], values: Iterable[object]) -> SourceRow:
    """Return a row of typed values; a missing one is left out, as an empty cell of CSV is.

    The members of an object have names with a dot, as in JSON.
    """
    return flat_row(
        line,
        {name: plain_value(value) for name, value in zip(names, values, strict=True)},
    )


@singledispatch
def plain_value(raw: object) -> Any:  # noqa: ANN401
    """Return a value as text, number, Decimal, true or false, list or dict; None if missing.

    Dates and times are ISO 8601 text, midnight without a time zone is its date, durations are
    seconds, bytes are text if they are UTF-8 and hex digits otherwise. NaN is a missing number, and
    a blank text is missing.
    """
    return None if raw is None else str(raw)


@plain_value.register(bool | int)
def _(raw: bool | int) -> object:  # noqa: FBT001
    return raw


@plain_value.register
def _(raw: str) -> str | None:
    # As for CSV, white space around a text is not part of it: databases pad texts of fixed length.
    return raw.strip() or None


@plain_value.register
def _(raw: float) -> float | None:
    return None if math.isnan(raw) else raw


@plain_value.register
def _(raw: Decimal) -> Decimal | float | None:
    return raw if raw.is_finite() else plain_value(float(raw))


@plain_value.register(date | time)
def _(raw: date | time) -> str:
    return raw.isoformat()


@plain_value.register
def _(raw: datetime) -> str:
    # Programs keep days as moments; CSV files have them as days.
    is_day = raw.tzinfo is None and raw.time() == _MIDNIGHT
    return (raw.date() if is_day else raw).isoformat()


@plain_value.register
def _(raw: timedelta) -> float:
    return raw.total_seconds()


@plain_value.register(bytes | bytearray | memoryview)
def _(raw: bytes | bytearray | memoryview) -> str | None:
    try:
        return bytes(raw).decode().strip() or None
    except UnicodeDecodeError:
        return bytes(raw).hex()


@plain_value.register(Mapping)
def _(raw: Mapping[object, object]) -> dict[str, Any]:
    return {str(name): plain_value(value) for name, value in raw.items()}


@plain_value.register(list | tuple | set | frozenset)
def _(raw: Iterable[object]) -> list[Any]:
    return [plain_value(value) for value in raw]
