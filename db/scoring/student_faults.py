"""The checks of a student that is read back: a student without a fault answers any inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from db.spec.dates.date_value import DATE_PARTS, DATE_WORDS, TIME_WORDS

from .packed_numbers import are_sound, unpack_float64
from .student_parts import (
    ChoiceInput,
    FlatPart,
    NormedTextPart,
    NumberInput,
    NumberPart,
    PairsData,
    PiecewisePart,
    ScaledNumber,
    TextPart,
    WordPart,
    flat_parts,
)

if TYPE_CHECKING:
    from .interval import Interval
    from .student_data import LinearData, StudentData, TreesData

# Weights are whole multiples of 2**-shift.
LARGEST_SHIFT = 300
# Norms are powers of the sum of squares; the square root is the first power.
LARGEST_POWER = 2.0
# Days since 1970 of the first and of the last day that a date may have.
DAYS_OF_DATES = -719_162.0, 2_932_896.999
WORDS_OF_DATES = (*DATE_WORDS, *TIME_WORDS)


def find_fault(data: StudentData) -> str:
    """Return why a student cannot be used, "" if it can.

    Lengths and positions must fit, and no number may be one that makes answers NaN or infinite.
    """
    width = len(data.bias)
    if data.labels and len(data.labels) != width:
        return "it has another number of scores than of labels"
    if not data.labels and width != 1:
        return "it has several scores for a number"
    lowest = [] if data.lowest is None else [data.lowest]
    if not are_sound([data.target_mean, data.target_scale, data.teacher_factor, *lowest]):
        return "it has numbers that are not finite or too large"
    if not all(_fits_interval(one) for one in (data.interval, data.teacher_interval) if one):
        return "its intervals do not fit"
    return _find_fault_of_linear(data) or (
        _find_fault_of_trees(data.trees, width) if data.trees else ""
    )


def _find_fault_of_trees(trees: TreesData, width: int) -> str:
    if not trees.columns or not all(0 <= column < width for column in trees.columns):
        return "its trees add to scores that it does not have"
    if trees.texts and (fault := _find_fault_of_texts(trees.texts)):
        return fault
    if not all(map(_fits_input, (*trees.inputs, *trees.unread))):
        return "its trees read parts of dates that there are not, or ranges without a limit"
    choices = [isinstance(one, ChoiceInput) for one in trees.inputs]
    return trees.nodes.find_fault([*choices, *[False] * (trees.width - len(choices))])


def _find_fault_of_texts(texts: LinearData) -> str:
    is_text = (
        isinstance(part, TextPart | NormedTextPart) and "." not in name
        for name, part in texts.parts.items()
    )
    if not (texts.bias and texts.parts and all(is_text)) or texts.pairs:
        return "its trees read something else than scores of texts"
    return _find_fault_of_linear(texts)


def _find_fault_of_linear(data: LinearData) -> str:
    width = len(data.bias)
    if not all(_are_row(means, width) for means in (data.bias, *data.means.values())):
        return "it has another number of mean scores than of scores, or one that is no number"
    if abs(data.shift) > LARGEST_SHIFT:
        return f"its weights are shifted by more than {LARGEST_SHIFT} bits"
    parts = [*flat_parts(data.parts)]
    if not all(_is_kind_of_name(name, isinstance(part, WordPart)) for name, part in parts):
        return "its dates have parts that no date has"
    if not all(_fits(name, part, width) for name, part in parts):
        return "weights are missing or are no numbers"
    return "" if data.pairs is None or _fits_pairs(data.pairs, width) else "pairs do not fit"


def _is_kind_of_name(name: str, is_word: bool) -> bool:  # noqa: FBT001  given by position
    """Return True unless a name such as day.month is of no part of a date, or of another kind."""
    _, point, part = name.partition(".")
    return not point or part in (WORDS_OF_DATES if is_word else DATE_PARTS)


def _fits_pairs(pairs: PairsData, width: int) -> bool:
    """Return True if each two atoms have a weight for each column, and each input has means."""
    atoms = sum(len(one.names) if isinstance(one, ChoiceInput) else 1 for one in pairs.inputs)
    return (
        len(pairs.weights) == 8 * atoms**2 * len(pairs.columns)
        and are_sound(unpack_float64(pairs.weights))
        and all(0 <= column < width for column in pairs.columns)
        and {one.name for one in pairs.inputs} == pairs.means.keys()
        and all(_are_row(means, width) for means in pairs.means.values())
        and all(map(_fits_input, pairs.inputs))
    )


def _fits_input(one: NumberInput | ChoiceInput | ScaledNumber) -> bool:
    if isinstance(one, NumberInput) and not _is_range(one.name, one.low, one.high):
        return False
    if isinstance(one, ScaledNumber) and not _is_scale(one.mean, one.scale):
        return False
    return _is_kind_of_name(one.name, isinstance(one, ChoiceInput))


def _fits(name: str, part: FlatPart, width: int) -> bool:
    """Return True if a part has sound weights for every feature and class."""
    if isinstance(part, NumberPart | PiecewisePart):
        is_number = _is_scale(part.mean, part.scale) and _is_range(name, part.low, part.high)
        return is_number and not any(map(math.isnan, part.edges)) and _fits_number(part, width)
    is_normed = isinstance(part, NormedTextPart)
    if isinstance(part, NormedTextPart) and not 0 <= part.power <= LARGEST_POWER:
        return False
    return len(part.weights) == 4 * (width + is_normed) * len(part.names)


def _fits_number(part: NumberPart | PiecewisePart, width: int) -> bool:
    rows = len(part.edges) + 1
    if isinstance(part, NumberPart):
        is_whole = len(part.weights) == 4 * width * rows and len(part.missing) in {0, 4 * width}
        return is_whole and _are_row(part.slopes, width)
    return (
        len(part.offsets) == len(part.slopes) == 8 * width * rows
        and len(part.missing) in {0, width}
        and are_sound((*unpack_float64(part.offsets), *unpack_float64(part.slopes), *part.missing))
    )


def _fits_interval(interval: Interval) -> bool:
    groups = len(interval.edges) + 1
    return _are_row(interval.below, groups) and _are_row(interval.above, groups)


def _is_scale(mean: float, scale: float) -> bool:
    """Return True if a number may be standardized: deviations are limited, but never NaN."""
    return not math.isnan(mean) and scale > 0


def _is_range(name: str, low: float, high: float) -> bool:
    """Return True if a warning can show the limit that a number exceeds; infinite ones are none."""
    first, last = DAYS_OF_DATES if name.endswith(".days") else (-math.inf, math.inf)
    has_low = low == -math.inf or first <= low <= last
    return has_low and (high == math.inf or first <= high <= last)


def _are_row(numbers: list[float], width: int) -> bool:
    return len(numbers) == width and are_sound(numbers)
