"""Drift of inputs: the fields of what is asked, compared with those of labelled records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs
from db.store.direct.clock import wall_seconds
from db.traffic.input_samples import read_labelled_inputs, read_served_inputs
from serve.pages.language.translation import language
from serve.prediction.catalog import Served
from serve.telemetry.drift import Drift, drift_of

from .field_bins import FieldBins, make_bins

# The most records that are compared; fewer if they have many fields.
MOST_INPUTS, MOST_VALUES = 2000, 200_000
MOST_KEPT = 16
# The page shows the rows with the largest drift.
MOST_ROWS = 40


@dataclass(frozen=True)
class BinShare:
    """The share of values in a bin: in training and now."""

    name: str
    trained: float
    now: float


@dataclass(frozen=True)
class FieldDrift:
    """The drift of one aspect of a field."""

    field: str
    aspect: str
    shares: Sequence[BinShare]
    drift: Drift

    @property
    def largest_change(self) -> BinShare:
        """The bin whose share has changed most."""
        return max(self.shares, key=lambda share: abs(share.now - share.trained))


@dataclass(frozen=True)
class InputDrift:
    """The drift of each field, the worst first, and how many inputs were compared."""

    fields: Sequence[FieldDrift]
    trained: int
    asked: int


class InputDriftReader:
    """Reads the drift of inputs; the bins of each dataset are kept until its model changes."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], tuple[str, int, list[FieldBins]]] = {}

    def read(self, connection: Connection, served: Served, hours: int) -> InputDrift:
        """Return the drift of the inputs of the last hours."""
        limit = min(MOST_INPUTS, MOST_VALUES // len(served.spec.fields))
        trained, bins = self._bins(connection, served, limit)
        since = wall_seconds(connection) - 3600 * hours
        asked = read_served_inputs(connection, served.id, since, limit)
        return InputDrift(field_drifts(bins, asked), trained, len(asked))

    def _bins(
        self, connection: Connection, served: Served, limit: int
    ) -> tuple[int, list[FieldBins]]:
        # The names of bins are in the language of the page.
        place = served.id, language()
        model, trained, bins = self._kept.get(place, ("", 0, []))
        if not bins or model != served.model:
            inputs = read_labelled_inputs(connection, served.id, limit)
            trained, bins = len(inputs), bins_of(served.spec, inputs)
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[place] = served.model, trained, bins
        return trained, bins


def bins_of(spec: DatasetSpec, inputs: Sequence[Inputs]) -> list[FieldBins]:
    """Return the bins of every field, made from the inputs of labelled records."""
    return [
        bins
        for name, field in spec.fields.items()
        for bins in make_bins(name, field, [row.get(name) for row in inputs])
    ]


def field_drifts(fields: Sequence[FieldBins], asked: Sequence[Inputs]) -> list[FieldDrift]:
    """Return the drift of each aspect of each field, the largest first."""
    found = [_field_drift(bins, [row.get(bins.field) for row in asked]) for bins in fields]
    ranks = {"bad": 0, "warn": 1, "fine": 2, "unknown": 3}
    return sorted(found, key=lambda it: (ranks[it.drift.level], -(it.drift.index or 0.0)))


def _field_drift(bins: FieldBins, values: Sequence[str | float | None]) -> FieldDrift:
    now = bins.count(values)
    drift = drift_of(_by_text(bins.trained), _by_text(now))
    positions = sorted({*range(len(bins.names)), *bins.trained, *now}, key=lambda at: (at < 0, at))
    shares = [
        BinShare(bins.name(at), _share(bins.trained, at), _share(now, at)) for at in positions
    ]
    return FieldDrift(bins.field, bins.aspect, shares, drift)


def _share(counts: Counter[int], position: int) -> float:
    return counts[position] / max(counts.total(), 1)


def _by_text(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(position): count for position, count in counts.items()}
