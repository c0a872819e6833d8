"""Exports the trees of gradient boosting as plain data that the student scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.scoring.student_data import ChoiceInput, LinearData, NumberInput, TreesData
from db.scoring.trees.tree_nodes import LEAF, TreeNodes

from .boosting import BoostedModel, TreeInputs
from .features import ChoiceFeatures
from .linear_model import ABSENT

Array: TypeAlias = npt.NDArray[Any]

# The web process holds no more values that are known only to have occurred.
MOST_RARE = 10_000


@dataclass
class _Nodes:
    """The nodes of all trees so far, in preorder, as `TreeNodes` keeps them.

    `codes` has the code of each bit of scikit-learn's sets, for each choice, and `widths` how many
    codes the choice has.
    """

    codes: list[list[int]]
    widths: list[int]
    sizes: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    rights: list[int] = field(default_factory=list)
    missing_left: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    sets: list[bytes] = field(default_factory=list)


def export_trees(
    model: BoostedModel, texts: LinearData | None, factor: float = 1.0
) -> tuple[TreesData | None, Array]:
    """Return the trees as plain data, and the score of each class that they start from.

    All scores are multiplied by `factor`. There are no data if there are no trees.
    """
    start = np.full(model.width, ABSENT)
    if model.estimator is None:
        start[model.classes] = 0.0
        return None, start
    baseline = np.asarray(model.estimator._baseline_prediction).reshape(-1) * factor  # noqa: SLF001
    columns = model.classes[-len(baseline) :]
    start[model.classes] = 0.0
    start[columns] = baseline
    used, nodes = _collect(model, factor)
    data = TreesData(
        columns=columns.tolist(),
        inputs=[_input(model.inputs, at) for at in used],
        unread=[
            _input(model.inputs, at) for at in range(len(model.inputs.sources)) if at not in used
        ],
        nodes=nodes,
        texts=texts if model.inputs.width_of_texts else None,
    )
    return data, start


def _collect(model: BoostedModel, factor: float) -> tuple[list[int], TreeNodes]:
    """Return the positions of the inputs that trees split on, and all nodes."""
    trees = [
        predictor
        for of_round in model.estimator._predictors[: model.rounds]  # noqa: SLF001
        for predictor in of_round
    ]
    inner = [tree.nodes[tree.nodes["is_leaf"] == 0]["feature_idx"] for tree in trees]
    in_use = set(np.concatenate(inner).tolist())
    sources = len(model.inputs.sources)
    used = [at for at in range(sources) if at in in_use]
    texts = range(sources, sources + model.inputs.width_of_texts)
    position = {at: new for new, at in enumerate([*used, *texts])}
    widths = [len(names) for names in model.inputs.names.values()]
    nodes = _Nodes(codes=_codes_by_bit(model.estimator), widths=widths)
    for tree in trees:
        _add_tree(nodes, tree, position, factor)
    return used, _pack(nodes)


def _add_tree(nodes: _Nodes, tree: Any, position: dict[int, int], factor: float) -> None:  # noqa: ANN401
    """Add the nodes of a tree in preorder, with the mean answer of the rows below each."""
    rows, means = tree.nodes, _mean_answers(tree.nodes)
    start = len(nodes.features)
    # A node to add, and the place of the node whose right child it is.
    waiting: list[tuple[int, int]] = [(0, -1)]
    while waiting:
        at, parent = waiting.pop()
        place = len(nodes.features)
        if parent >= 0:
            nodes.rights[parent] = place - start
        row = rows[at]
        nodes.values.append(float(means[at]) * factor)
        nodes.rights.append(0)
        if row["is_leaf"]:
            _add_split(nodes, LEAF, 0.0, missing_left=False)
            continue
        waiting += [(int(row["right"]), place), (int(row["left"]), -1)]
        threshold = float(row["num_threshold"])
        missing_left = bool(row["missing_go_to_left"])
        if row["is_categorical"]:
            threshold = float(len(nodes.sets))
            bits = tree.raw_left_cat_bitsets[row["bitset_idx"]]
            feature = int(row["feature_idx"])
            codes, width = nodes.codes[feature], nodes.widths[feature]
            nodes.sets.append(_code_set(bits, codes, width, unknown_left=missing_left))
            missing_left = False
        feature = position[int(row["feature_idx"])]
        _add_split(nodes, feature, threshold, missing_left=missing_left)
    nodes.sizes.append(len(nodes.features) - start)


def _add_split(nodes: _Nodes, feature: int, threshold: float, *, missing_left: bool) -> None:
    nodes.features.append(feature)
    nodes.thresholds.append(threshold)
    nodes.missing_left.append(int(missing_left))


def _mean_answers(rows: Array) -> Array:
    """Return the mean answer of the training rows that reach each node."""
    means = rows["value"].astype(float)
    counts = rows["count"].astype(float)
    # Children come after their parents.
    for at in range(len(rows) - 1, -1, -1):
        if not rows[at]["is_leaf"]:
            children = [int(rows[at]["left"]), int(rows[at]["right"])]
            means[at] = np.average(means[children], weights=counts[children])
    return means


def _codes_by_bit(estimator: Any) -> list[list[int]]:  # noqa: ANN401
    """Return for each choice the codes that scikit-learn has seen, in the order of its bits."""
    if estimator._preprocessor is None:  # noqa: SLF001
        return []
    encoder = estimator._preprocessor.named_transformers_["encoder"]  # noqa: SLF001
    return [[int(code) for code in seen if not np.isnan(code)] for seen in encoder.categories_]


def _code_set(words: Array, codes: list[int], width: int, *, unknown_left: bool) -> bytes:
    """Return the set of the codes that go left; in the student 0 is an unknown value.

    Of the `width` codes only those in `codes` were seen; others go where unknown values go.
    """
    bits = int.from_bytes(words.astype("<u4").tobytes(), "little")
    left = (1 << (width + 1)) - 1 if unknown_left else 0
    for bit, code in enumerate(codes):
        place = 1 << (code + 1)
        left = left | place if bits >> bit & 1 else left & ~place
    return left.to_bytes((left.bit_length() + 7) // 8 or 1, "little")


def _pack(nodes: _Nodes) -> TreeNodes:
    return TreeNodes(
        sizes=np.array(nodes.sizes, "<u2").tobytes(),
        features=np.array(nodes.features, "<u2").tobytes(),
        thresholds=np.array(nodes.thresholds, "<f8").tobytes(),
        rights=np.array(nodes.rights, "<u2").tobytes(),
        missing_left=bytes(nodes.missing_left),
        values=np.array(nodes.values, "<f8").tobytes(),
        sets=nodes.sets,
    )


def _input(inputs: TreeInputs, at: int) -> NumberInput | ChoiceInput:
    source = inputs.sources[at]
    if isinstance(source, ChoiceFeatures):
        names = inputs.names[source.name]
        seen = {source.names[code] for code in np.unique(source.codes[: inputs.labelled])}
        rare = sorted(seen.difference(names))
        return ChoiceInput(
            name=source.name, names=names, rare=rare if len(rare) <= MOST_RARE else None
        )
    numbers = source.numbers[: inputs.labelled]
    numbers = numbers[~np.isnan(numbers)]
    low, high = (numbers.min(), numbers.max()) if len(numbers) else (-np.inf, np.inf)
    return NumberInput(name=source.name, low=float(low), high=float(high))
