"""The values of Arrow's columns as the values of rows."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from db.files.typed_value import plain_value

# A value in a list, as Python keeps it.
_ITEM_BYTES = 64


def plain_values(column: Any) -> list[Any]:  # noqa: ANN401
    """Return the values of a column as `plain_value` does.

    Numbers of 32 bits are the shortest decimal number, as in CSV: 0.1 and not 0.10000000149.
    Times are cut to microseconds. A date that Python does not know is a text that says so, which a
    field of dates refuses.
    """
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return list(column.to_pylist())
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_temporal(kind):
        return _moments(column)
    if pa.types.is_dictionary(kind):
        return plain_values(column.dictionary_decode())
    try:
        return [plain_value(value) for value in column.to_pylist()]
    except UnicodeDecodeError:
        return [plain_value(value) for value in column.cast(pa.binary()).to_pylist()]


def _floats(column: Any) -> list[float | None]:  # noqa: ANN401
    if column.type.bit_width < pa.float64().bit_width:
        texts = column.cast(pa.float32()).cast(pa.string()).to_pylist()
        return [plain_value(None if text is None else float(text)) for text in texts]
    # NaN is not equal to itself.
    return [None if number != number else number for number in column.to_pylist()]  # noqa: PLR0124


def _moments(column: Any) -> list[Any]:  # noqa: ANN401
    try:
        return [plain_value(value) for value in _microseconds(column).to_pylist()]
    except (OverflowError, ValueError):
        return list(column.cast(pa.string()).to_pylist())


def _microseconds(column: Any) -> Any:  # noqa: ANN401
    """Return times of which Python knows each part; it does not know nanoseconds."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return column.cast(pa.time64("us"), safe=False)
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return column.cast(pa.duration("us"), safe=False)
    return column


def text_bytes(column: Any) -> int:  # noqa: ANN401
    """Return about how much memory the texts and lists of a column take as Python's values.

    Arrow keeps a repeated text once, so that a small file can have gigabytes of text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(column.dictionary)
        return int(pc.sum(lengths.take(column.indices).cast(pa.int64())).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(text_bytes(field) for field in column.flatten())
    if pa.types.is_map(kind):
        return text_bytes(column.keys) + text_bytes(column.items) + _ITEM_BYTES * len(column.keys)
    if pa.types.is_nested(kind):
        items = column.flatten()
        return text_bytes(items) + _ITEM_BYTES * len(items)
    return int(column.nbytes)
