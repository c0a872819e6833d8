"""What every executor does, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from db.errors import EnricherError, VeilleuseError
from enrich.enrichers.base import Row

from .recipe import Recipe


class Stopped(Exception):
    """The worker is to end before the work is done."""


class Suspended(Exception):
    """The machine has been needed by others for so long that the work is better given back."""


class ChildDied(EnricherError):
    """The process that computed died."""


class RecipeError(VeilleuseError):
    """An enricher or a teacher cannot be started at all, whatever the rows."""


@dataclass(frozen=True)
class Computed:
    """A value for each row, and the seconds that it took, without those of being suspended."""

    values: list[Any]
    seconds: float


class Executor(Protocol):
    """Computes a step, by whatever means."""

    # Whether it computes in one process of this machine.
    is_local: bool

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Return a value for each row.

        Raises EnricherError for these rows, RecipeError, Unavailable, Stopped or Suspended.
        """
        ...

    def abort(self) -> None:
        """End what is being computed, from another thread."""
        ...

    def close(self) -> None:
        """End whatever was started."""
        ...
