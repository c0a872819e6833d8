"""Trees as flat arrays of plain bytes, and the checks that make them safe to walk."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from db.scoring.packed_numbers import are_sound, unpack_float64

# Stands for the feature of a leaf, which has none.
LEAF = 0xFFFF
# Python's compiler nests as deep as the trees that it compiles.
MOST_DEPTH = 60
MOST_NODES = 2**17
MOST_SET_BYTES = 8 * 2**10


class NodeArrays(NamedTuple):
    """The members of TreeNodes as numbers; a set is an integer whose bit c stands for code c."""

    sizes: array[int]
    features: array[int]
    thresholds: array[float]
    rights: array[int]
    missing_left: bytes
    values: array[float]
    masks: list[int]

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield each tree's first node and the node after its last."""
        start = 0
        for size in self.sizes:
            yield start, start + size
            start += size


class TreeNodes(msgspec.Struct, frozen=True, kw_only=True):
    """Binary trees in preorder: the left child of a node is the next node. All is little endian.

    `sizes` (uint16) has an entry for each tree, its number of nodes; the others have one for each
    node of all trees. `features` (uint16) are LEAF for a leaf. `thresholds` (float64): a number
    goes left if it is at most the threshold, and a choice if the set at this position in `sets`
    holds its code; 0 for a leaf. `rights` (uint16) are positions of right children in their tree, 0
    for a leaf. `missing_left` (one byte): 1 if NaN goes left. `values` (float64) are the answers of
    leaves, and of other nodes the mean answer of the training rows that reach them. Bit c of a set
    is 1 if code c goes left; code 0 is a value that is missing or not known.
    """

    sizes: bytes
    features: bytes
    thresholds: bytes
    rights: bytes
    missing_left: bytes
    values: bytes
    sets: list[bytes]

    def unpack(self) -> NodeArrays:
        """Return the numbers, in the byte order of this machine."""
        return NodeArrays(
            sizes=_uint16(self.sizes),
            features=_uint16(self.features),
            thresholds=unpack_float64(self.thresholds),
            rights=_uint16(self.rights),
            missing_left=self.missing_left,
            values=unpack_float64(self.values),
            masks=[int.from_bytes(one, "little") for one in self.sets],
        )

    def find_fault(self, is_choice: Sequence[bool]) -> str:
        """Return why trees over these features cannot be used, "" if they can.

        Trees without a fault can be compiled and walked, whatever bytes they were made of.
        """
        fault = self._find_fault_of_lengths()
        if fault:
            return fault
        nodes = self.unpack()
        if sum(nodes.sizes) != len(nodes.features):
            return "its trees have another number of nodes than they say"
        if not all(_is_tree(nodes, *span) for span in nodes.spans()):
            return f"its trees are not in preorder, or are deeper than {MOST_DEPTH} splits"
        return _find_fault_of_numbers(nodes, is_choice)

    def _find_fault_of_lengths(self) -> str:
        count = len(self.missing_left)
        lengths = map(len, (self.features, self.rights, self.thresholds, self.values))
        if [*lengths] != [2 * count, 2 * count, 8 * count, 8 * count] or len(self.sizes) % 2:
            return "its trees are cut off"
        if count > MOST_NODES:
            return f"its trees have more than {MOST_NODES:,} nodes"
        if len(self.sets) > count or any(len(one) > MOST_SET_BYTES for one in self.sets):
            return f"its trees have unused sets of choices, or one above {MOST_SET_BYTES:,} bytes"
        return ""


def _uint16(packed: bytes) -> array[int]:
    numbers = array("H", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _is_tree(nodes: NodeArrays, start: int, end: int) -> bool:
    """Return True if each subtree ends where its right sibling starts, and the last at `end`."""
    # The right children that are still to come, and how deep they are.
    pending = [(end - start, 0)]
    depth = 0
    for position in range(end - start):
        if nodes.features[start + position] != LEAF:
            depth += 1
            pending.append((nodes.rights[start + position], depth))
        else:
            following, depth = pending.pop()
            if following != position + 1 or depth > MOST_DEPTH:
                return False
            if not pending:
                return True
    return False


def _find_fault_of_numbers(nodes: NodeArrays, is_choice: Sequence[bool]) -> str:
    if any(LEAF != feature >= len(is_choice) for feature in nodes.features):
        return "its trees read features that it does not have"
    if not are_sound(nodes.values) or any(map(math.isnan, nodes.thresholds)):
        return "its trees have values that are no numbers"
    if nodes.missing_left.translate(None, b"\0\1"):
        return "its trees send missing numbers neither left nor right"
    positions = (
        threshold
        for feature, threshold in zip(nodes.features, nodes.thresholds, strict=True)
        if feature != LEAF and is_choice[feature]
    )
    if not all(0 <= one < len(nodes.masks) and one.is_integer() for one in positions):
        return "its trees split choices by sets that it does not have"
    return ""
