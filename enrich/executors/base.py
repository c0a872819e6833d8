"""The protocol of executors, and the errors that they raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from db.errors import EnricherError, VeilleuseError
from enrich.enrichers.base import Row

from .recipe import Recipe


class Stopped(Exception):
    """The worker was asked to stop before the work was done."""


class Suspended(Exception):
    """The gate has been closed for GATE_SUSPEND_SECONDS: the work should be given back."""


class ChildDied(EnricherError):
    """The compute process died."""


class TookTooLong(ChildDied):
    """The compute process was ended, because it did not answer."""


class RecipeError(VeilleuseError):
    """An enricher or a teacher cannot start, or fails for any rows."""


@dataclass(frozen=True)
class Computed:
    """A value for each row, and the seconds of computing without those of being suspended."""

    values: list[Any]
    seconds: float


class Executor(Protocol):
    """Computes the values of a step."""

    # Whether it computes in a single process on this machine.
    is_local: bool

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Return a value for each row.

        Raises EnricherError if these rows are at fault, otherwise RecipeError, Unavailable, Stopped
        or Suspended.
        """
        ...

    def abort(self) -> None:
        """End the current computation; called from another thread."""
        ...

    def close(self) -> None:
        """End every process and connection that was started."""
        ...
