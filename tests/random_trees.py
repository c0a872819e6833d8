"""Random trees and rows, packing of trees, and a walker that is easy to check by reading."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.scoring.trees.tree_nodes import LEAF, TreeNodes

NUMBERS = (-math.inf, -3.5, -1.0, -0.0, 0.0, 0.5, 1.0, 2.75, math.inf)
CODES = 40


@dataclass
class Node:
    """A node of a tree: a leaf unless it has children."""

    value: float
    feature: int = LEAF
    threshold: float = 0.0
    is_missing_left: bool = False
    children: tuple[Node, Node] | None = None

    def preorder(self) -> Iterator[Node]:
        """Yield this node, those below its left child, then those below its right child."""
        yield self
        for child in self.children or ():
            yield from child.preorder()

    @property
    def right(self) -> int:
        """The distance to the right child in preorder, 0 for a leaf."""
        return 1 + len([*self.children[0].preorder()]) if self.children else 0


def pack_trees(trees: Sequence[Node], sets: Sequence[bytes] = ()) -> TreeNodes:
    """Return the trees in the byte format of a student."""
    orders = [[*tree.preorder()] for tree in trees]
    nodes = [node for order in orders for node in order]
    rights = [
        position + node.right if node.children else 0
        for order in orders
        for position, node in enumerate(order)
    ]
    return TreeNodes(
        sizes=struct.pack(f"<{len(orders)}H", *map(len, orders)),
        features=struct.pack(f"<{len(nodes)}H", *(node.feature for node in nodes)),
        thresholds=struct.pack(f"<{len(nodes)}d", *(node.threshold for node in nodes)),
        rights=struct.pack(f"<{len(nodes)}H", *rights),
        missing_left=bytes(node.is_missing_left for node in nodes),
        values=struct.pack(f"<{len(nodes)}d", *(node.value for node in nodes)),
        sets=list(sets),
    )


def random_trees(
    chance: random.Random, is_choice: Sequence[bool], trees: int = 6, leaves: int = 8
) -> TreeNodes:
    """Return valid trees of as many leaves, over features that are choices or numbers."""
    sets: list[bytes] = []
    made = [_random_tree(chance, is_choice, leaves, sets) for _ in range(trees)]
    return pack_trees(made, sets)


def _random_tree(
    chance: random.Random, is_choice: Sequence[bool], leaves: int, sets: list[bytes]
) -> Node:
    root = Node(chance.gauss(0, 1))
    growing = [root]
    for _ in range(leaves - 1):
        node = growing.pop(chance.randrange(len(growing)))
        node.feature = chance.randrange(len(is_choice))
        if is_choice[node.feature]:
            node.threshold = len(sets)
            sets.append(chance.randbytes(chance.choice((0, 1, CODES // 8))))
        else:
            node.threshold = chance.choice((*NUMBERS, chance.gauss(0, 1)))
            node.is_missing_left = chance.random() < 0.5
        node.children = Node(chance.gauss(0, 1)), Node(chance.gauss(0, 1))
        growing.extend(node.children)
    return root


def random_row(chance: random.Random, is_choice: Sequence[bool]) -> list[float]:
    """Return a number or NaN for each number, and a code for each choice."""
    return [
        chance.randrange(CODES + 8)
        if choice
        else chance.choice((math.nan, *NUMBERS, chance.gauss(0, 1)))
        for choice in is_choice
    ]


def paths(
    nodes: TreeNodes, is_choice: Sequence[bool], row: Sequence[float]
) -> Iterator[list[tuple[int, float]]]:
    """Yield the feature and the value of each node that a row reaches, for each tree."""
    start = 0
    for (size,) in struct.iter_unpack("<H", nodes.sizes):
        position, path = 0, []
        while True:
            (feature,) = struct.unpack_from("<H", nodes.features, 2 * (start + position))
            path.append((feature, *struct.unpack_from("<d", nodes.values, 8 * (start + position))))
            if feature == LEAF:
                break
            if _goes_left(nodes, start + position, is_choice[feature], row[feature]):
                position += 1
            else:
                (position,) = struct.unpack_from("<H", nodes.rights, 2 * (start + position))
        yield path
        start += size


def _goes_left(nodes: TreeNodes, node: int, is_choice: bool, value: float) -> bool:  # noqa: FBT001
    (threshold,) = struct.unpack_from("<d", nodes.thresholds, 8 * node)
    if is_choice:
        codes = nodes.sets[int(threshold)]
        byte, bit = divmod(int(value), 8)
        return byte < len(codes) and bool(codes[byte] & 2**bit)
    if math.isnan(value):
        return nodes.missing_left[node] == 1
    return value <= float(threshold)
