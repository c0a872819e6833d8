"""Scoring by boosted trees, and the amounts that each input adds to the scores."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from operator import add
from typing import TypeAlias

from db.scoring.features import word_feature
from db.scoring.student_data import TreesData
from db.scoring.student_parts import ChoiceInput, NumberInput
from db.spec.field import Value

from .tree_code import compile_trees, features_read
from .tree_nodes import LEAF, MOST_SET_BYTES

# The name under which `reasons` returns the amounts of all texts; no input has it.
TEXTS = ""
# No set holds this code.
FREE_CODE = 8 * MOST_SET_BYTES

TextScores: TypeAlias = Callable[[Mapping[str, Value]], Sequence[float]]
# Amounts by the name of an input, one for each column.
Amounts: TypeAlias = dict[str, list[float]]


class TreesScorer:
    """Scores rows by trees; `text_scores` returns the scores of `data.texts`, if there are any."""

    def __init__(self, data: TreesData, text_scores: TextScores | None) -> None:
        self._nodes = data.nodes.unpack()
        self._width = len(data.columns)
        # Of all features, a row has those that trees read.
        used = features_read(self._nodes)
        count = len(data.inputs)
        self._readers = [_reader(data.inputs[feature]) for feature in used if feature < count]
        self._texts = [feature - count for feature in used if feature >= count]
        self._text_scores = text_scores if self._texts else None
        is_choice = [isinstance(one, ChoiceInput) for one in data.inputs]
        is_choice += [False] * (data.width - count)
        self._sums = compile_trees(self._nodes, is_choice, self._width)
        self._is_choice = [is_choice[feature] for feature in used]
        self._names = [one.name for one in data.inputs] + [TEXTS] * bool(data.texts)
        self._owners = [self._names[min(feature, count)] for feature in used]
        slots = {feature: slot for slot, feature in enumerate(used)} | {LEAF: LEAF}
        self._slots = array("H", map(slots.__getitem__, self._nodes.features))
        self._base = self._mean_scores()

    def scores(self, values: Mapping[str, Value]) -> list[float]:
        """Return a score for each column; `values` has the parts of dates."""
        row = self._row(values)
        scores = [0.0] * self._width
        for column, tree_sum in self._sums:
            scores[column] += tree_sum(*row)
        return scores

    def scores_of_rows(self, rows: Sequence[Mapping[str, Value]]) -> list[Sequence[float]]:
        """Return what `scores` does for each row.

        A few trees score all rows before the next ones do, so that their code stays in the
        processor's cache: 1,000 rows and 151 trees of 31 leaves took 10 ms instead of 14.
        """
        values = [tuple(self._row(row)) for row in rows]
        columns = [[0.0] * len(rows)] * self._width
        for column, tree_sum in self._sums:
            columns[column] = list(map(add, columns[column], starmap(tree_sum, values)))
        return list(zip(*columns, strict=True))

    def reasons(self, values: Mapping[str, Value]) -> tuple[list[float], Amounts]:
        """Return the mean score of each column, and what each input adds to it for these values.

        Each split of a path adds the change of the mean answer to the input that it splits by
        (Saabas, "Interpreting random forests", 2014). Mean and amounts add up to the score.
        """
        row = self._row(values)
        amounts = {name: [0.0] * self._width for name in self._names}
        owners = [amounts[name] for name in self._owners]
        answers, slots = self._nodes.values, self._slots
        for tree, (start, _) in enumerate(self._nodes.spans()):
            node, column = start, tree % self._width
            while (slot := slots[node]) != LEAF:
                child = self._child(start, node, slot, row[slot])
                owners[slot][column] += answers[child] - answers[node]
                node = child
        return list(self._base), amounts

    def _row(self, values: Mapping[str, Value]) -> list[float]:
        row: list[float] = []
        for name, codes in self._readers:
            value = values[name]
            if codes is not None:
                row.append(1 << codes.get(word_feature(value), 0))
            else:
                row.append(math.nan if value is None else float(value))
        if self._text_scores:
            scores = self._text_scores(values)
            row += [scores[position] for position in self._texts]
        return row

    def _child(self, start: int, node: int, slot: int, value: float) -> int:
        """Return the node that follows on a row's path through the tree from `start`."""
        nodes = self._nodes
        threshold = nodes.thresholds[node]
        if self._is_choice[slot]:
            is_left = nodes.masks[int(threshold)] & int(value)
        else:
            is_left = value <= threshold or (nodes.missing_left[node] and math.isnan(value))
        return node + 1 if is_left else start + nodes.rights[node]

    def _mean_scores(self) -> list[float]:
        roots = [self._nodes.values[start] for start, _ in self._nodes.spans()]
        return [sum(roots[column :: self._width]) for column in range(self._width)]


def _reader(one: NumberInput | ChoiceInput) -> tuple[str, dict[str, int] | None]:
    """Return an input's name, and the codes of a choice or None for a number."""
    if isinstance(one, NumberInput):
        return one.name, None
    return one.name, {name: min(code, FREE_CODE) for code, name in enumerate(one.names, 1)}
