"""What a model learns: records with a label, a number, or a weight of each label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

SEED = 0
# A label with fewer items is not sampled.
RARE_ITEMS = 100


@dataclass(frozen=True)
class Target:
    """Items to learn from, each with the position of its record, its label and its weight.

    A label is the position of its name among `width` labels, or a number if `is_number`; then
    `width` is 1. Equal items are one item with a larger weight.
    """

    records: Array
    labels: Array
    weights: Array
    width: int
    is_number: bool

    def __len__(self) -> int:
        return len(self.records)

    def only(self, items: Array) -> Target:
        """Return the target with only some of the items, by position or as a mask."""
        return replace(
            self,
            records=self.records[items],
            labels=self.labels[items],
            weights=self.weights[items],
        )

    def sample(self, items: int) -> Target:
        """Return the target with a fair sample of its items, at most so many; rare labels stay."""
        if items >= len(self):
            return self
        order = np.random.default_rng(SEED).permutation(len(self))
        if not self.is_number:
            counts = np.bincount(self.labels, minlength=self.width)
            order = order[np.argsort(counts[self.labels[order]] >= RARE_ITEMS, kind="stable")]
        return self.only(order[:items])

    def plus(self, other: Target) -> Target:
        """Return the items of both."""
        return replace(
            self,
            records=np.concatenate([self.records, other.records]),
            labels=np.concatenate([self.labels, other.labels]),
            weights=np.concatenate([self.weights, other.weights]),
        )

    @property
    def classes(self) -> Array:
        """The labels that occur."""
        return np.unique(self.labels)


def make_target(records: Array, labels: Array, width: int, *, is_number: bool) -> Target:
    """Return the target of rows, given by record and label; equal rows become one item."""
    if is_number:
        return Target(records, labels, np.ones(len(labels)), 1, is_number=True)
    pairs, counts = np.unique(records * width + labels, return_counts=True)
    return Target(pairs // width, pairs % width, counts.astype(float), width, is_number=False)
