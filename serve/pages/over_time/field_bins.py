"""Bins of a field's values, by which inputs of today are compared with those of training."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from db.scoring.features import split_words
from db.spec.field import BooleanField, ChoiceField, TextField, Value
from serve.pages.formatting import exact_decimals, number
from serve.pages.language.translation import gettext as _

PARTS = 10
# Values of a choice beyond these are counted together.
MOST_VALUES = 10
# The shares of a text's words that training's texts do not have, up to which a bin reaches.
NEW_WORD_SHARES = (0.0, 0.25, 0.5)
MISSING = -1


@dataclass(frozen=True)
class FieldBins:
    """The bins of one aspect of a field, and how many values of training fall in each.

    `place` returns the position of a value's bin in `names`, or MISSING.
    """

    field: str
    aspect: str
    names: tuple[str, ...]
    place: Callable[[Value], int]
    trained: Counter[int]

    def count(self, values: Iterable[Value]) -> Counter[int]:
        """Return how many values fall in each bin."""
        return Counter(map(self.place, values))

    def name(self, position: int) -> str:
        """Return the name of a bin."""
        return _("missing") if position == MISSING else self.names[position]


def make_bins(name: str, field: object, values: Sequence[Value]) -> list[FieldBins]:
    """Return the bins of a field's aspects, made from its values in training."""
    if isinstance(field, TextField):
        return [_length_bins(name, values), _new_word_bins(name, values)]
    if isinstance(field, ChoiceField | BooleanField):
        return [_value_bins(name, values)]
    return [_range_bins(name, _("value"), values, lambda value: value)]


def _made(
    names: tuple[str, Sequence[str]],
    label: str,
    place: Callable[[Value], int],
    values: Iterable[Value],
) -> FieldBins:
    field, bins = names
    return FieldBins(field, label, tuple(bins), place, Counter(map(place, values)))


def _value_bins(name: str, values: Sequence[Value]) -> FieldBins:
    """Return a bin for each frequent value, and one for all others."""
    frequent = Counter(value for value in values if value is not None).most_common(MOST_VALUES)
    positions = {value: at for at, (value, _times) in enumerate(frequent)}
    others = len(positions)

    def place(value: Value) -> int:
        return MISSING if value is None else positions.get(value, others)

    bins = [_text(value) for value in positions]
    return _made((name, [*bins, _("other values")]), _("value"), place, values)


def _range_bins(
    name: str, label: str, values: Sequence[Value], measure: Callable[[Value], Any]
) -> FieldBins:
    """Return bins that hold about a tenth of training's values each; equal values stay together.

    Dates are text in ISO 8601, which is ordered as the days are.
    """
    sizes = sorted(measure(value) for value in values if value is not None)
    edges = sorted({sizes[len(sizes) * at // PARTS] for at in range(1, PARTS)} if sizes else ())

    def place(value: Value) -> int:
        return MISSING if value is None else bisect_left(edges, measure(value))

    return _made((name, _range_names([_text(edge) for edge in edges])), label, place, values)


def _range_names(edges: Sequence[str]) -> list[str]:
    if not edges:
        return [_("any")]
    first = _("up to {high}").format(high=edges[0])
    middle = [_("over {low} to {high}").format(low=low, high=high) for low, high in pairwise(edges)]
    return [first, *middle, _("over {low}").format(low=edges[-1])]


def _length_bins(name: str, values: Sequence[Value]) -> FieldBins:
    return _range_bins(name, _("number of words"), values, lambda text: len(split_words(str(text))))


def _new_word_bins(name: str, values: Sequence[Value]) -> FieldBins:
    """Return bins of the share of a text's words that no other text of training has.

    A text of training would have no new word otherwise, and one that is asked again neither.
    """
    texts = [str(value) for value in values if value is not None]
    uses = Counter(word for text in texts for word in set(split_words(text)))
    # By their hashes, which take less memory than the texts.
    trained = {hash(text) for text in texts}

    def place(value: Value) -> int:
        if value is None:
            return MISSING
        words = split_words(str(value))
        own = int(hash(str(value)) in trained)
        new = sum(uses[word] <= own for word in words)
        return bisect_left(NEW_WORD_SHARES, new / max(len(words), 1))

    names = (_("none"), _("up to a quarter"), _("up to half"), _("more than half"))
    return _made((name, names), _("words not in training"), place, values)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return number(value, min(exact_decimals(value), 3))
    return str(value)
