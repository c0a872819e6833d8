"""Scores and amounts of a student, computed in the plainest way that follows its description."""

from __future__ import annotations

import itertools
import math
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from db.scoring.features import count_features, text_features
from db.scoring.student_data import (
    ChoiceInput,
    FlatPart,
    LinearData,
    NormedTextPart,
    NumberPart,
    PairsData,
    PiecewisePart,
    ScaledNumber,
    StudentData,
    TextPart,
    TreesData,
)
from db.spec.field import Inputs, Value
from tests.random_trees import paths

from .random_students import flat

# Amounts by field, one for each class; None is the base.
Amounts = dict[str | None, list[float]]
FARTHEST = 1e6


def scores_of(data: StudentData, inputs: Inputs) -> list[float]:
    """Return the scores of each class."""
    amounts = amounts_of(data, inputs)
    return [math.fsum(column) for column in zip(*amounts.values(), strict=True)]


def amounts_of(data: StudentData, inputs: Inputs) -> Amounts:
    """Return the amounts of each field, and the base under None; they add up to the scores."""
    values = _with_dates(inputs)
    width = len(data.bias)
    amounts: Amounts = defaultdict(lambda: [0.0] * width)
    for name, of_classes in _amounts(data, values):
        field = name and name.partition(".")[0]
        for at, amount in enumerate(of_classes):
            amounts[field][at] += amount
    return amounts


def _amounts(
    data: StudentData, values: Mapping[str, Value]
) -> Iterator[tuple[str | None, Sequence[float]]]:
    yield None, data.bias
    yield from _of_linear(data, values)
    if data.trees:
        for name, column, amount in _of_trees(data.trees, values):
            yield name, [amount if at == column else 0.0 for at in range(len(data.bias))]


def _of_linear(
    data: LinearData, values: Mapping[str, Value]
) -> Iterator[tuple[str | None, Sequence[float]]]:
    """Yield each part's scores less its means, and its means as a part of the base."""
    width = len(data.bias)
    for name, part in flat(data.parts):
        means = data.means.get(name, [0.0] * width)
        scores = part_scores(part, width, data.shift, values[name])
        yield None, means
        yield name, [score - mean for score, mean in zip(scores, means, strict=True)]
    if data.pairs:
        for name, means in data.pairs.means.items():
            yield None, means
            yield name, [-mean for mean in means]
        for names, column, product in _products(data.pairs, values):
            half = [product / 2 if at == column else 0.0 for at in range(width)]
            yield from ((name, half) for name in names)


def part_scores(part: FlatPart, width: int, shift: int, value: Value) -> list[float]:
    """Return what a value adds to the score of each class."""
    if isinstance(part, PiecewisePart):
        return _of_pieces(part, width, value)
    if isinstance(part, NumberPart):
        return _of_number(part, width, shift, value)
    if isinstance(part, NormedTextPart):
        counts = {"": 1} if value is None else count_features(str(value))
        rows = dict(zip(part.names, _rows(part.weights, width + 1, shift), strict=True))
        known = [(rows[one], count) for one, count in counts.items() if one in rows]
        *sums, square = _sum(known, width + 1)
        return [one / square ** (part.power / 2) for one in sums] if square > 0 else sums
    if isinstance(part, TextPart):
        features = {""} if value is None else text_features(str(value))
    else:
        features = {"" if value is None else str(value)}
    rows = dict(zip(part.names, _rows(part.weights, width, shift), strict=True))
    return _sum([(rows[one], 1) for one in features if one in rows], width)


def _sum(rows: Sequence[tuple[Sequence[float], int]], width: int) -> list[float]:
    return [math.fsum(row[at] * times for row, times in rows) for at in range(width)]


def _rows(weights: bytes, width: int, shift: int) -> list[list[float]]:
    whole = struct.iter_unpack(f"<{width}i", weights)
    return [[weight * 2.0**-shift for weight in row] for row in whole]


def deviation(mean: float, scale: float, number: float) -> float:
    """Return a number in standard deviations from the mean, at most a million."""
    return min(max((number - mean) / scale, -FARTHEST), FARTHEST)


def _of_number(part: NumberPart, width: int, shift: int, value: Value) -> list[float]:
    if value is None:
        return _rows(part.missing, width, shift)[0] if part.missing else [0.0] * width
    row = _rows(part.weights, width, shift)[sum(edge <= float(value) for edge in part.edges)]
    size = deviation(part.mean, part.scale, float(value))
    return [weight + slope * size for weight, slope in zip(row, part.slopes, strict=True)]


def _of_pieces(part: PiecewisePart, width: int, value: Value) -> list[float]:
    if value is None:
        return part.missing or [0.0] * width
    piece = sum(edge <= float(value) for edge in part.edges)
    size = deviation(part.mean, part.scale, float(value))
    found = []
    for at in range(piece * width, piece * width + width):
        (offset,), (slope,) = (
            struct.unpack_from("<d", packed, 8 * at) for packed in (part.offsets, part.slopes)
        )
        found.append(offset + slope * size)
    return found


def _products(
    pairs: PairsData, values: Mapping[str, Value]
) -> Iterator[tuple[tuple[str, str], int, float]]:
    """Yield both fields, the column and the product of each two atoms with their weight."""
    atoms: list[tuple[str, float]] = []
    for one in pairs.inputs:
        value = values[one.name]
        if isinstance(one, ScaledNumber):
            size = 0.0 if value is None else deviation(one.mean, one.scale, float(value))
            atoms.append((one.name, size))
        else:
            word = "" if value is None else str(value)
            atoms += [(one.name, float(word == name)) for name in one.names]
    weights = struct.unpack(f"<{len(pairs.weights) // 8}d", pairs.weights)
    count = len(pairs.columns)
    for first, second in itertools.combinations_with_replacement(range(len(atoms)), 2):
        (name, size), (other, other_size) = atoms[first], atoms[second]
        for at, column in enumerate(pairs.columns):
            weight = weights[(first * len(atoms) + second) * count + at]
            yield (name, other), column, size * other_size * weight


def _of_trees(
    trees: TreesData, values: Mapping[str, Value]
) -> Iterator[tuple[str | None, int, float]]:
    """Yield the changes along each path; those by scores of texts are under "wish"."""
    row: list[float] = []
    for one in trees.inputs:
        value = values[one.name]
        if isinstance(one, ChoiceInput):
            row.append(1 + one.names.index(str(value)) if value in one.names else 0)
        else:
            row.append(math.nan if value is None else float(value))
    if trees.texts:
        amounts = [trees.texts.bias, *(one for _, one in _of_linear(trees.texts, values))]
        row += [math.fsum(column) for column in zip(*amounts, strict=True)]
    count = len(trees.inputs)
    is_choice = [isinstance(one, ChoiceInput) for one in trees.inputs] + [False] * (
        len(row) - count
    )
    for tree, path in enumerate(paths(trees.nodes, is_choice, row)):
        column = trees.columns[tree % len(trees.columns)]
        yield None, column, path[0][1]
        for (feature, before), (_, after) in itertools.pairwise(path):
            name = trees.inputs[feature].name if feature < count else "wish"
            yield name, column, after - before


def _with_dates(inputs: Inputs) -> dict[str, Value]:
    values = dict(inputs)
    for name in ("day", "seen"):
        value = inputs.get(name)
        names = ("days", "year", "day", "month", "weekday", "hour")
        parts: tuple[Value, ...] = (None,) * len(names)
        if value is not None:
            moment = datetime.fromisoformat(str(value)).replace(second=0)
            days = (moment - datetime(1970, 1, 1)).total_seconds() / 86_400  # noqa: DTZ001
            day = moment.day
            words = (f"{moment:%m}", f"{moment.isoweekday()}", f"{moment:%H}")
            parts = (days, moment.year, day, *words)
        values |= {f"{name}.{part}": one for part, one in zip(names, parts, strict=True)}
    return values
