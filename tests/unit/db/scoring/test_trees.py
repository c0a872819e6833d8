"""Tests of the scores of trees and of the amounts that inputs add to them."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from db.scoring.student_data import ChoiceInput, LinearData, NumberInput, TreesData
from db.scoring.trees.tree_code import PIECE_NODES
from db.scoring.trees.trees_scorer import TEXTS, TreesScorer
from db.spec.field import Inputs, Value
from tests.random_trees import Node, pack_trees, random_row, random_trees

from .tree_reference import assert_agrees, trees_data, values_of

COLORS, TOWNS = 5, 40
UNKNOWN = 77


@given(
    st.integers(0, 2**32),
    st.lists(st.booleans(), min_size=1, max_size=6),
    st.integers(0, 9),
    st.integers(1, 20),
    st.integers(1, 4),
)
def test_random_trees_score_as_the_reference_walker(
    seed: int, is_choice: list[bool], trees: int, leaves: int, width: int
) -> None:
    """Numbers, missing numbers, infinite thresholds, choices and unknown codes; any columns."""
    chance = random.Random(seed)
    nodes = random_trees(chance, is_choice, trees, leaves)
    rows = [random_row(chance, is_choice) for _ in range(10)]
    assert_agrees(nodes, is_choice, rows, width)


@pytest.mark.parametrize("leaves", [1, 2, 31])
def test_trees_of_several_pieces_score_as_the_reference_walker(leaves: int) -> None:
    """More nodes than one compiled function has, and more trees."""
    chance = random.Random(leaves)
    is_choice = [False, True, False, False]
    nodes = random_trees(chance, is_choice, trees=130, leaves=leaves)
    rows = [random_row(chance, is_choice) for _ in range(30)]
    assert leaves < 31 or len(nodes.missing_left) > 3 * PIECE_NODES
    assert_agrees(nodes, is_choice, rows, width=2)


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_base_and_amounts_add_up_to_the_scores(seed: int, width: int) -> None:
    """For every column; an input that no tree reads has amounts of 0."""
    chance = random.Random(seed)
    is_choice = [False, True, False, False]
    scorer = TreesScorer(
        trees_data(random_trees(chance, is_choice[:3], trees=9), is_choice, width), None
    )
    for _ in range(10):
        values = values_of(random_row(chance, is_choice), is_choice)
        base, amounts = scorer.reasons(values)
        assert [*amounts] == ["0", "1", "2", "3"]
        assert amounts["3"] == [0.0] * width
        total = [sum(parts) for parts in zip(base, *amounts.values(), strict=True)]
        assert total == pytest.approx(scorer.scores(values), abs=1e-12)


def test_the_base_does_not_change_when_a_caller_changes_it() -> None:
    """Each call returns lists of its own."""
    scorer = TreesScorer(trees_data(pack_trees([Node(2.0)]), [], width=1), None)
    base, _ = scorer.reasons({})
    base[0] = 9.0
    assert scorer.reasons({}) == ([2.0], {})


def test_a_value_of_each_kind_is_read() -> None:
    """Numbers and booleans as numbers; words, booleans and missing words as choices."""
    size = Node(0.0, 0, 3.0, True, (Node(1.0), Node(2.0)))  # noqa: FBT003
    is_open = Node(0.0, 1, 0.0, children=(Node(10.0), Node(20.0)))
    data = TreesData(
        columns=[0],
        inputs=[NumberInput("size", 0.0, 9.0), ChoiceInput("is_open", ["", "True"])],
        nodes=pack_trees([size, is_open], [b"\x04"]),
    )
    scorer = TreesScorer(data, None)
    assert scorer.scores({"size": 3, "is_open": True}) == [11.0]
    assert scorer.scores({"size": 3.5, "is_open": "True"}) == [12.0]
    assert scorer.scores({"size": None, "is_open": False}) == [21.0]
    assert scorer.scores({"size": True, "is_open": None}) == [21.0]


def test_codes_of_known_unknown_and_missing_values_differ() -> None:
    """A value's code is its position plus 1; other values and a missing one are code 0."""
    data = TreesData(
        columns=[0],
        inputs=[ChoiceInput("trip", ["work", "fun"], rare=["exile"])],
        nodes=pack_trees(
            [Node(0.0, 0, code, children=(Node(10.0**code), Node(0.0))) for code in range(3)],
            [b"\x01", b"\x02", b"\x04"],
        ),
    )
    scorer = TreesScorer(data, None)
    scores = [scorer.scores({"trip": trip})[0] for trip in ("exile", "mars", None, "work", "fun")]
    assert scores == [1.0, 1.0, 1.0, 10.0, 100.0]


def test_scores_of_texts_are_features_under_one_name() -> None:
    """Trees read only some of the scores; their amounts are those of all texts together."""
    data = TreesData(
        columns=[0, 1],
        inputs=[NumberInput("size", 0.0, 9.0)],
        nodes=pack_trees(
            [
                Node(1.0, 3, 0.5, children=(Node(-2.0), Node(4.0))),
                Node(5.0, 1, 0.5, children=(Node(0.0), Node(7.0))),
                Node(1.5, 0, 0.5, children=(Node(1.0), Node(2.0))),
            ]
        ),
        texts=LinearData(bias=[0.0, 0.0, 0.0], shift=0, parts={}),
    )

    def text_scores(values: Mapping[str, Value]) -> list[float]:
        return [float(word in str(values["wish"])) for word in ("sea", "view", "quiet")]

    scorer = TreesScorer(data, text_scores)
    values: Inputs = {"size": 1.0, "wish": "quiet, with a view"}
    assert scorer.scores(values) == [6.0, 0.0]
    assert scorer.reasons(values) == ([2.5, 5.0], {"size": [0.5, 0.0], TEXTS: [3.0, -5.0]})


def test_texts_that_no_tree_reads_are_not_scored() -> None:
    """Scoring texts takes longer than walking trees."""

    def text_scores(_: Mapping[str, Value]) -> list[float]:
        raise AssertionError

    texts = LinearData(bias=[0.0], shift=0, parts={})
    data = TreesData(columns=[0], inputs=[], nodes=pack_trees([Node(1.0)]), texts=texts)
    scorer = TreesScorer(data, text_scores)
    assert scorer.scores({}) == [1.0]
    assert scorer.reasons({}) == ([1.0], {TEXTS: [0.0]})


def test_compiled_trees_run_under_a_tracer_and_in_tracebacks() -> None:
    """Their instructions are all on one line, as debuggers, coverage and tracebacks see them."""
    scorer = TreesScorer(
        trees_data(random_trees(random.Random(1), [False]), [False], width=1), None
    )
    files = set()

    def trace(frame: FrameType, _event: str, _arg: Any) -> Any:  # noqa: ANN401
        files.add(frame.f_code.co_filename)
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        traced = scorer.scores({"0": 0.5})
    finally:
        sys.settrace(old)
    assert "<trees>" in files
    assert traced == scorer.scores({"0": 0.5})
    _, tree_sum = scorer._sums[0]
    with pytest.raises(TypeError) as caught:
        tree_sum("word")
    assert 'File "<trees>", line 1, in <lambda>' in str(caught.getrepr(style="native"))


@pytest.mark.parametrize("leaves", range(1, 17))
def test_every_instruction_of_compiled_trees_has_a_line(leaves: int) -> None:
    """Whatever their number: Python fails to format a traceback through one without."""
    nodes = random_trees(random.Random(1), [False], trees=1, leaves=leaves)
    ((_, tree_sum),) = TreesScorer(trees_data(nodes, [False], width=1), None)._sums
    code = tree_sum.__code__
    lines = [(first, last) for first, last, _, _ in code.co_positions()]
    assert lines == [(1, 1)] * (len(code.co_code) // 2)


def training_rows(chance: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return rows of two choices and two numbers, of which many are missing."""
    rows = np.column_stack(
        [
            chance.integers(0, COLORS, 900),
            chance.integers(0, TOWNS, 900),
            chance.normal(size=(900, 2)),
        ]
    )
    rows[chance.random(rows.shape) < 0.1] = np.nan
    # Every value occurs, so that scikit-learn numbers them as they are.
    rows[:TOWNS, 1] = np.arange(TOWNS)
    rows[:COLORS, 0] = np.arange(COLORS)
    return rows


def exported(model: Any) -> TreesData:  # noqa: ANN401
    """Return the trees of scikit-learn's model, without its baseline."""
    sets: list[bytes] = []
    width = len(model._predictors[0])
    trees = [_exported_node(one, 0, sets) for step in model._predictors for one in step]
    return TreesData(
        columns=list(range(width)),
        inputs=[
            ChoiceInput("color", [f"{value}" for value in range(COLORS)]),
            ChoiceInput("town", [f"{value}" for value in range(TOWNS)]),
            NumberInput("size", -9.0, 9.0),
            NumberInput("age", -9.0, 9.0),
        ],
        nodes=pack_trees(trees, sets),
    )


def _exported_node(predictor: Any, index: int, sets: list[bytes]) -> Node:  # noqa: ANN401
    node = predictor.nodes[index]
    if node["is_leaf"]:
        return Node(float(node["value"]))
    left, right = (_exported_node(predictor, node[side], sets) for side in ("left", "right"))
    counts = [int(predictor.nodes[node[side]]["count"]) for side in ("left", "right")]
    mean = (left.value * counts[0] + right.value * counts[1]) / sum(counts)
    threshold = float(node["num_threshold"])
    if node["is_categorical"]:
        threshold = float(len(sets))
        sets.append(_exported_set(predictor, node))
    is_missing_left = bool(node["missing_go_to_left"])
    return Node(mean, int(node["feature_idx"]), threshold, is_missing_left, (left, right))


def _exported_set(predictor: Any, node: Any) -> bytes:  # noqa: ANN401
    words = predictor.raw_left_cat_bitsets[node["bitset_idx"]]
    bits = int.from_bytes(words.astype("<u4").tobytes(), "little")
    return (bits << 1 | int(node["missing_go_to_left"])).to_bytes(33, "little")


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_trees_of_scikit_learn_keep_their_scores(classes: int) -> None:
    """Of a regression and of classifications, for missing and for unknown values as well."""
    chance = np.random.default_rng(classes)
    rows = training_rows(chance)
    known = np.nan_to_num(rows)
    truth = known[:, 2] + (known[:, 0] == 2) - known[:, 1] % 3 * np.isnan(rows[:, 3])
    maker = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    model = maker(max_iter=30, categorical_features=[0, 1], min_samples_leaf=5, random_state=1)
    if classes:
        truth = np.digitize(truth, np.quantile(truth, np.arange(1, classes) / classes))
    model.fit(rows, truth)
    data = exported(model)
    assert data.nodes.find_fault([True, True, False, False]) == ""
    assert data.nodes.sets
    rows[::7, :2] = UNKNOWN
    wanted = (model.decision_function if classes else model.predict)(rows)
    scorer = TreesScorer(data, None)
    baseline = np.asarray(model._baseline_prediction).ravel()
    for row, one in zip(rows, wanted, strict=True):
        values = scikit_values(row)
        scores = scorer.scores(values)
        np.testing.assert_allclose(scores + baseline, np.ravel(one), rtol=0, atol=1e-12)
        base, amounts = scorer.reasons(values)
        total = np.sum([base, *amounts.values()], axis=0)
        np.testing.assert_allclose(total, scores, rtol=0, atol=1e-12)


def scikit_values(row: np.ndarray[Any, np.dtype[np.float64]]) -> Inputs:
    """Return a row of `training_rows` as values."""
    color, town, size, age = (None if np.isnan(one) else float(one) for one in row)
    return {
        "color": None if color is None else f"{color:.0f}",
        "town": None if town is None else f"{town:.0f}",
        "size": size,
        "age": age,
    }
