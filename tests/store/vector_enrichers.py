"""A small embedding for tests: vectors that point where the sentence says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.spec.section import EnricherSpec
from enrich.enrichers.base import Row


class Direction:
    """Return a vector that points in the direction that the sentence gives in degrees.

    A sentence that is no number has no vector.
    """

    version = "1"

    def __init__(self, turned: float = 0.0) -> None:
        self._turned = turned

    def __call__(self, rows: Sequence[Row]) -> list[NDArray[np.float64] | None]:
        return [self._vector(row["sentence"]) for row in rows]

    def _vector(self, sentence: str) -> NDArray[np.float64] | None:
        if not sentence.isdigit():
            return None
        angle = math.radians(float(sentence)) * (1 + self._turned)
        return np.array([math.cos(angle), math.sin(angle)])


def enrichers(turned: float = 0.0, count: int = 2) -> dict[str, EnricherSpec]:
    """Return an enricher of directions and one of neighbours."""
    use = f"{__name__}.{Direction.__name__}"
    config = {"turned": turned}
    return {
        "direction": EnricherSpec(use=use, reads=("sentence",), config=config),
        "neighbours": EnricherSpec(reads=("direction",), config={"count": count}),
    }
