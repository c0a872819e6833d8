"""Search for a part of any input of a record, in upper or lower case."""

from __future__ import annotations

from db.records.encoded_inputs import decode_inputs
from db.spec.normalization import normal_text


def search_pattern(text: str) -> str:
    """Return the form in which a searched text is compared, "" to search for nothing."""
    return normal_text(text).casefold() if text else ""


def contains_text(inputs: str, pattern: str) -> bool:
    """Return whether any value of a record's inputs, which are JSON, contains the pattern."""
    folded = inputs.casefold()
    # Most records are left out without being decoded; JSON escapes quotation marks and the like.
    if pattern.isalnum() and pattern not in folded:
        return False
    values = decode_inputs(inputs).values()
    return any(pattern in str(value).casefold() for value in values if value is not None)
