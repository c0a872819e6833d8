"""Tests that trees made of any bytes are either refused or safe to use."""

from __future__ import annotations

import inspect
import math
import random
import struct
import sys
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.trees.tree_nodes import (
    LEAF,
    MOST_DEPTH,
    MOST_NODES,
    MOST_SET_BYTES,
    TreeNodes,
)
from db.scoring.trees.trees_scorer import TreesScorer
from tests.random_trees import Node, pack_trees, random_row, random_trees

from .tree_reference import assert_agrees, trees_data

IS_CHOICE = [False, True, False]
MEMBERS = ("sizes", "features", "thresholds", "rights", "missing_left", "values")


def leaf() -> TreeNodes:
    """Return a tree that is a leaf."""
    return pack_trees([Node(1.5)])


def stump(feature: int = 0, threshold: float = 0.5, sets: Sequence[bytes] = ()) -> TreeNodes:
    """Return a tree of one split."""
    return pack_trees([Node(2.0, feature, threshold, children=(Node(1.0), Node(3.0)))], sets)


def chain(depth: int, side: int) -> TreeNodes:
    """Return a tree whose every split has a leaf on one side, and all other splits on the other."""
    node = Node(0.0)
    for level in range(depth):
        other = Node(float(level))
        children = (other, node) if side else (node, other)
        node = Node(-float(level), 0, level / depth, level % 2 == 0, children)
    return pack_trees([node])


def assert_usable_or_refused(nodes: TreeNodes, seed: int) -> None:
    """Use trees that have no fault, with rows of all kinds."""
    if not nodes.find_fault(IS_CHOICE):
        chance = random.Random(seed)
        rows = [random_row(chance, IS_CHOICE) for _ in range(8)]
        assert_agrees(nodes, IS_CHOICE, rows, width=2)


@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(1, 12))
def test_random_trees_have_no_fault(seed: int, trees: int, leaves: int) -> None:
    """Trees may split numbers and choices, in any shape."""
    nodes = random_trees(random.Random(seed), IS_CHOICE, trees, leaves)
    assert nodes.find_fault(IS_CHOICE) == ""
    assert_usable_or_refused(nodes, seed)


@given(
    st.builds(
        TreeNodes,
        **{member: st.binary(max_size=48) for member in MEMBERS},
        sets=st.lists(st.binary(max_size=4), max_size=3),
    )
)
def test_random_bytes_are_refused_or_safe(nodes: TreeNodes) -> None:
    """Bytes of any length."""
    assert_usable_or_refused(nodes, 1)


@given(st.data(), st.integers(1, 6))
def test_random_bytes_of_fitting_lengths_are_refused_or_safe(
    data: st.DataObject, count: int
) -> None:
    """Bytes that pass the check of lengths, often small numbers so that some make a tree."""
    feature = st.sampled_from([0, 1, 2, 3, LEAF, LEAF, LEAF])
    right = st.integers(0, 7)
    threshold = st.sampled_from([0.0, 1.0, -1.0, 0.5, math.inf, math.nan])
    shorts, doubles = f"<{count}H", f"<{count}d"

    def drawn(one: st.SearchStrategy[float]) -> list[float]:
        return data.draw(st.lists(one, min_size=count, max_size=count))

    nodes = TreeNodes(
        sizes=struct.pack("<H", count),
        features=struct.pack(shorts, *drawn(feature)),
        thresholds=struct.pack(doubles, *drawn(threshold)),
        rights=struct.pack(shorts, *drawn(right)),
        missing_left=bytes(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))),
        values=struct.pack(doubles, *drawn(st.floats())),
        sets=[b"", b"\x05"],
    )
    assert_usable_or_refused(nodes, count)


@given(st.data(), st.integers(0, 2**32))
def test_a_mutated_tree_is_refused_or_safe(data: st.DataObject, seed: int) -> None:
    """Some bytes of a valid tree are changed, removed or added."""
    nodes = random_trees(random.Random(seed), IS_CHOICE, trees=3, leaves=4)
    member = data.draw(st.sampled_from(MEMBERS))
    old = getattr(nodes, member)
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, min(start + 8, len(old))))
    size = data.draw(st.sampled_from([end - start, end - start, 0, 2]))
    new = data.draw(st.binary(min_size=size, max_size=size))
    mutated = msgspec.structs.replace(nodes, **{member: old[:start] + new + old[end:]})
    assert_usable_or_refused(mutated, seed)


@pytest.mark.parametrize("side", [0, 1])
def test_the_deepest_trees_can_be_used(side: int) -> None:
    """Trees as deep as allowed compile, whichever side is deep; deeper ones are refused."""
    nodes = chain(MOST_DEPTH, side)
    assert nodes.find_fault([False]) == ""
    rows = [[one] for one in (math.nan, -1.0, 0.0, 0.1, 0.5, 2.0, math.inf)]
    assert_agrees(nodes, [False], rows, width=1)
    assert "deeper than 60" in chain(MOST_DEPTH + 1, side).find_fault([False])


def test_the_most_trees_can_be_used() -> None:
    """Sums of many leaves and of many stumps compile, as functions that each add a few."""
    many = pack_trees([Node(0.5)] * MOST_NODES)
    assert many.find_fault([]) == ""
    assert TreesScorer(trees_data(many, [], width=2), None).scores({}) == [MOST_NODES / 4] * 2
    assert "more than 131,072 nodes" in pack_trees([Node(0.5)] * (MOST_NODES + 1)).find_fault([])
    stumps = pack_trees([Node(0.0, 0, 0.5, children=(Node(1.0), Node(2.0)))] * 1000)
    assert_agrees(stumps, [False], [[0.0], [1.0]], width=1)


@pytest.mark.parametrize("shape", ["deep to the left", "deep to the right", "stumps", "leaves"])
def test_trees_compile_where_few_calls_are_left(shape: str) -> None:
    """Python's compiler counts the calls that it is called from as well."""
    nodes = {
        "deep to the left": chain(MOST_DEPTH, 0),
        "deep to the right": chain(MOST_DEPTH, 1),
        "stumps": pack_trees([Node(0.0, 0, 0.5, children=(Node(1.0), Node(2.0)))] * 1000),
        "leaves": pack_trees([Node(0.5)] * 1000),
    }[shape]
    data = trees_data(nodes, [False], width=1)

    def scores_below(calls: int) -> list[float]:
        return scores_below(calls - 1) if calls else TreesScorer(data, None).scores({"0": 1.0})

    left = sys.getrecursionlimit() - len(inspect.stack(0))
    assert scores_below(left - 80) == TreesScorer(data, None).scores({"0": 1.0})


@pytest.mark.slow
def test_the_largest_tree_can_be_used() -> None:
    """A tree has up to 65,535 nodes, whose positions fill two bytes."""
    large = random_trees(random.Random(1), [False], trees=1, leaves=2**15)
    assert large.find_fault([False]) == ""
    rows = [[one] for one in (math.nan, -1.0, 0.0, 0.25, 1.0)]
    assert_agrees(large, [False], rows, width=1)


def test_the_largest_set_can_be_used() -> None:
    """Its bits are read up to the last; a code behind them goes right."""
    nodes = stump(threshold=0.0, sets=[bytes(MOST_SET_BYTES - 1) + b"\x80"])
    assert nodes.find_fault([True]) == ""
    last = 8 * MOST_SET_BYTES - 1
    assert_agrees(nodes, [True], [[last - 1], [last], [last + 1]], width=1, codes=last + 2)
    larger = stump(threshold=0.0, sets=[bytes(MOST_SET_BYTES + 1)])
    assert "above 8,192 bytes" in larger.find_fault([True])


@pytest.mark.parametrize("threshold", [-1.0, 1.0, 0.5, math.inf])
def test_a_choice_without_its_set_is_refused(threshold: float) -> None:
    """A threshold of a choice is the position of a set."""
    assert stump(threshold=0.0, sets=[b"\x01"]).find_fault([True]) == ""
    assert "sets that it does not have" in stump(0, threshold, [b"\x01"]).find_fault([True])


@pytest.mark.parametrize(
    ("nodes", "fault"),
    [
        (stump(feature=1), "features that it does not have"),
        (stump(feature=LEAF - 1), "features that it does not have"),
        (stump(threshold=math.nan), "no numbers"),
        (pack_trees([Node(math.nan)]), "no numbers"),
        (pack_trees([Node(-math.inf)]), "no numbers"),
        (stump(sets=[b""] * 4), "unused sets"),
        (msgspec.structs.replace(leaf(), missing_left=b"\x02"), "neither left nor right"),
        (msgspec.structs.replace(leaf(), sizes=b"\x01"), "cut off"),
        (msgspec.structs.replace(leaf(), values=b"\x01"), "cut off"),
        (msgspec.structs.replace(leaf(), sizes=b"\x02\x00"), "another number of nodes"),
        (msgspec.structs.replace(leaf(), sizes=b"\x01\x00\x00\x00"), "not in preorder"),
        (msgspec.structs.replace(stump(), rights=b"\x01\x00\x00\x00\x00\x00"), "not in preorder"),
        (msgspec.structs.replace(stump(), rights=b"\x00\x00\x00\x00\x00\x00"), "not in preorder"),
        (msgspec.structs.replace(stump(), rights=b"\x03\x00\x00\x00\x00\x00"), "not in preorder"),
        (msgspec.structs.replace(stump(), sizes=b"\x01\x00\x02\x00"), "not in preorder"),
        (msgspec.structs.replace(stump(), features=b"\xff" * 6), "not in preorder"),
        (msgspec.structs.replace(stump(), features=bytes(6)), "not in preorder"),
    ],
)
def test_a_fault_is_named(nodes: TreeNodes, fault: str) -> None:
    """Each kind of fault is found in a tree that is valid otherwise."""
    assert fault in nodes.find_fault([False])


def test_infinite_thresholds_and_no_trees_are_no_fault() -> None:
    """A split may part missing numbers from all others."""
    assert stump(threshold=math.inf).find_fault([False]) == ""
    assert pack_trees([]).find_fault([]) == ""
    assert_agrees(pack_trees([]), [], [[]], width=2)
