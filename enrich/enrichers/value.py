"""Values of enrichers as they enter the store: JSON that every database and teacher can hold."""

from __future__ import annotations

import re
import sys
from typing import Any

import msgspec

from db.errors import EnricherError
from db.scoring.packed_numbers import Vector

# Control characters would reach a terminal, and PostgreSQL has no NUL; line ends and tabs are text.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LARGEST_FLOAT32 = 3.4028234e38
# Deeper values cannot be read again.
MOST_LEVELS = 100


def to_value(made: Any) -> Any:  # noqa: ANN401
    """Return an enricher's value as it is stored: an array as a Vector, all else as JSON.

    Raises EnricherError for a value that cannot be stored.
    """
    if isinstance(made, Vector):
        return made
    if hasattr(made, "astype") and getattr(made, "ndim", 0) == 1:
        return _to_vector(made)
    if hasattr(made, "item"):
        made = made.item()
    try:
        # JSON has no NaN and no infinity, which become null.
        plain = msgspec.json.decode(msgspec.json.encode(made))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EnricherError(f"its value cannot be stored: {error}") from None
    return clean(plain)


def _to_vector(made: Any) -> Vector:  # noqa: ANN401
    # Not a number is not below it either.
    if not (abs(made) <= LARGEST_FLOAT32).all():
        raise EnricherError("its vector has a number that is not finite")
    return Vector(made.astype("<f4").tobytes())


def clean(value: Any, levels: int = MOST_LEVELS) -> Any:  # noqa: ANN401
    """Return a JSON value without control characters, which are replaced by U+FFFD.

    Raises EnricherError for an integer that no float comes near, and for a value nested too deep.
    """
    if not levels:
        raise EnricherError(f"its value is nested more than {MOST_LEVELS} levels deep")
    if isinstance(value, str):
        return _NOT_TEXT.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {clean(key): clean(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item, levels - 1) for item in value]
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise EnricherError("its value has an integer of more than 308 digits")
    return value
