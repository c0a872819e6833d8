"""Students of the samples, made of the rows by hashing: the same on every machine."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Sequence

from db.scoring.features import count_features, text_features
from db.scoring.interval import Interval
from db.scoring.student_data import (
    ChoiceInput,
    NormedTextPart,
    NumberInput,
    PairsData,
    PiecewisePart,
    ScaledNumber,
    StudentData,
    TextPart,
    TreesData,
    WordPart,
)
from tests.random_trees import Node, pack_trees

SHIFT = 29
EDUCATION = ["Bachelor", "High School", "Master", "PhD"]


def fraction(name: str) -> float:
    """Return a number from -1 to 1."""
    (number,) = struct.unpack("<i", hashlib.sha256(name.encode()).digest()[:4])
    return float(number) / 2**31


def _whole(name: str, width: int, last: int) -> bytes:
    """Return a row of weights, whose last one is `last` if that is not 0."""
    row = hashlib.shake_256(name.encode("utf-8", "surrogatepass")).digest(4 * width)
    return row[:-4] + struct.pack("<i", last) if last else row


def _floats(name: str, count: int) -> bytes:
    return struct.pack(f"<{count}d", *(fraction(f"{name} {at}") for at in range(count)))


def intents(labels: Sequence[str], sentences: Iterable[str], *, is_normed: bool) -> StudentData:
    """Return a student that knows the features of these sentences, and that of a missing one."""
    make = count_features if is_normed else text_features
    names = sorted({"", *itertools.chain(*map(make, sentences))})
    width = len(labels)
    part: NormedTextPart | TextPart
    if is_normed:
        rows = (_whole(name, width + 1, 2**24 + len(name)) for name in names)
        part = NormedTextPart(names, b"".join(rows), 0.7)
    else:
        part = TextPart(names, b"".join(_whole(name, width, 0) for name in names))
    return StudentData(
        labels=list(labels),
        bias=[fraction(label) for label in labels],
        shift=SHIFT if is_normed else SHIFT + 3,
        parts={"sentence": part},
    )


def _tree(name: str, depth: int) -> Node:
    node = Node(fraction(name))
    if depth:
        node.feature = int(abs(fraction(f"{name} feature")) * 3)
        limit = fraction(f"{name} threshold")
        node.threshold = {0: 45 + 40 * limit, 1: int(8 + 8 * limit), 2: 40_000 * (1 + limit)}[
            node.feature
        ]
        node.is_missing_left = limit > 0
        node.children = _tree(f"{name}<", depth - 1), _tree(f"{name}>", depth - 1)
    return node


def _age(width: int = 1) -> PiecewisePart:
    edges = [25.0, 40.0, 65.0]
    rows = (len(edges) + 1) * width
    return PiecewisePart(
        mean=47.5,
        scale=18.25,
        low=18.0,
        high=89.0,
        edges=edges,
        offsets=_floats("offset", rows),
        slopes=_floats("slope", rows),
        missing=[0.25],
    )


def customers() -> StudentData:
    """Return a student with every kind of part that a table has."""
    columns, atoms = [0], 2 + len(EDUCATION)
    half = [[fraction(f"{min(a, b)} {max(a, b)}") for b in range(atoms)] for a in range(atoms)]
    means = {"age": [0.5], "income": [0.0], "education": [-0.5]}
    return StudentData(
        labels=[],
        bias=[0.125],
        shift=SHIFT,
        parts={
            "age": _age(),
            "education": WordPart(
                ["", *EDUCATION[:3]], b"".join(_whole(name, 1, 0) for name in ["", *EDUCATION[:3]])
            ),
        },
        pairs=PairsData(
            columns=columns,
            inputs=[
                ScaledNumber("age", 47.5, 18.25),
                ScaledNumber("income", 41_000.0, 20_500.0),
                ChoiceInput("education", EDUCATION),
            ],
            weights=struct.pack(f"<{atoms**2}d", *itertools.chain(*half)),
            means=means,
        ),
        trees=TreesData(
            columns=columns,
            inputs=[
                NumberInput("age", 18.0, 89.0),
                ChoiceInput("education", EDUCATION),
                NumberInput("income", 0.0, 250_000.0),
            ],
            nodes=pack_trees(
                [_tree(f"tree {at}", 4) for at in range(40)],
                sets=[bytes([2 * at]) for at in range(17)],
            ),
        ),
        target_mean=4560.75,
        target_scale=250.5,
        lowest=0.0,
        is_teacher=True,
        interval=Interval(
            coverage=0.9,
            edges=[3000.0, 6000.0],
            below=[-900.5, -2000.0, -4e3],
            above=[1e3, 3e3, 9e3],
        ),
    )
