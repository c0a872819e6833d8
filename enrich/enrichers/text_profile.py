"""The text profile: numbers that describe the form of a text, not its meaning."""

from __future__ import annotations

import math
from collections.abc import Sequence

from db.scoring.packed_numbers import Vector

from .base import Row, joined_text


class TextProfile:
    """Returns twelve numbers from 0 to about 1: length, words, and shares of character classes."""

    version = "1"
    text_only = True

    def __call__(self, rows: Sequence[Row]) -> list[Vector]:
        return [profile(joined_text(row)) for row in rows]


def profile(text: str) -> Vector:
    """Return the profile of one text."""
    words = text.split()
    length = max(len(text), 1)
    character_classes = (
        str.isupper,
        str.isdigit,
        lambda character: not character.isalnum() and not character.isspace(),
        lambda character: character.isalpha() and not character.isascii(),
    )
    shares = [sum(map(is_member, text)) / length for is_member in character_classes]
    return Vector.of(
        [
            math.log1p(length) / 7,
            math.log1p(len(words)) / 5,
            length / max(len(words), 1) / 20,
            max(map(len, words), default=0) / 30,
            len(set(words)) / max(len(words), 1),
            *shares,
            float("?" in text),
            float("!" in text),
            float(text[:1].isupper()),
        ]
    )
