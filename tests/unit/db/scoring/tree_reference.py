"""Compares a scorer of trees with the reference walker."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest

from db.scoring.student_data import ChoiceInput, NumberInput, TreesData
from db.scoring.trees.tree_nodes import TreeNodes
from db.scoring.trees.trees_scorer import TreesScorer
from db.spec.field import Inputs, Value
from tests.random_trees import paths


def trees_data(
    nodes: TreeNodes, is_choice: Sequence[bool], width: int, codes: int = 64
) -> TreesData:
    """Return data of a scorer; inputs are named by position and values of choices by code."""
    names = [f"v{code}" for code in range(1, codes)]
    return TreesData(
        columns=list(range(width)),
        inputs=[
            ChoiceInput(f"{position}", names) if choice else NumberInput(f"{position}", -1.0, 1.0)
            for position, choice in enumerate(is_choice)
        ],
        nodes=nodes,
    )


def values_of(row: Sequence[float], is_choice: Sequence[bool]) -> Inputs:
    """Return a row of numbers and codes as values by the names of `trees_data`."""
    return {
        f"{position}": _value(one, is_word=is_word)
        for position, (one, is_word) in enumerate(zip(row, is_choice, strict=True))
    }


def _value(one: float, *, is_word: bool) -> Value:
    if is_word:
        return f"v{one:.0f}"
    return None if math.isnan(one) else one


def expected(
    nodes: TreeNodes, is_choice: Sequence[bool], row: Sequence[float], width: int
) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Return the scores, the base and the amounts of a row, by the reference walker."""
    scores, base = [0.0] * width, [0.0] * width
    amounts = {f"{position}": [0.0] * width for position in range(len(is_choice))}
    for tree, path in enumerate(paths(nodes, is_choice, row)):
        base[tree % width] += path[0][1]
        scores[tree % width] += path[-1][1]
        for (feature, before), (_, after) in itertools.pairwise(path):
            amounts[f"{feature}"][tree % width] += after - before
    return scores, base, amounts


def assert_agrees(
    nodes: TreeNodes,
    is_choice: Sequence[bool],
    rows: Sequence[Sequence[float]],
    width: int,
    codes: int = 64,
) -> None:
    """Compare scores, base and amounts of all rows with those of the reference walker."""
    scorer = TreesScorer(trees_data(nodes, is_choice, width, codes), None)
    for row in rows:
        values = values_of(row, is_choice)
        scores, base, amounts = expected(nodes, is_choice, row, width)
        assert scorer.scores(values) == pytest.approx(scores, rel=1e-12, abs=1e-9, nan_ok=True)
        actual_base, actual_amounts = scorer.reasons(values)
        assert actual_base == pytest.approx(base, rel=1e-12, abs=1e-9, nan_ok=True)
        assert actual_amounts.keys() == amounts.keys()
        for name, actual in actual_amounts.items():
            assert actual == pytest.approx(amounts[name], rel=1e-12, abs=1e-9, nan_ok=True), name
