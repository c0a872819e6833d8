"""Tests that a student whose lengths, positions or numbers do not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest

from db.errors import ArtifactError
from db.scoring.student import Student
from db.scoring.student_data import decode_student
from tests.unit.db.scoring.random_students import (
    packed_floats,
    random_student,
)

from .plain_students import (
    INFINITY,
    INPUTS,
    NAN,
    SEED,
    every_kind,
    plain,
    store,
)

TOO_LARGE = 1e101
FAULTS: dict[str, tuple[str, object, str]] = {
    "a label more": ("labels", ["a", "b", "c", "d"], "another number of scores than of labels"),
    "several scores for a number": ("labels", [], "several scores for a number"),
    "no score": ("bias", [], "another number of scores"),
    "an infinite bias": ("bias", [0.0, INFINITY, 0.0], "no number"),
    "a huge bias": ("bias", [0.0, TOO_LARGE, 0.0], "no number"),
    "a NaN mean of the target": ("target_mean", NAN, "not finite or too large"),
    "an infinite scale of the target": ("target_scale", INFINITY, "not finite or too large"),
    "a NaN lowest answer": ("lowest", NAN, "not finite or too large"),
    "an infinite lowest answer": ("lowest", INFINITY, "not finite or too large"),
    "a NaN factor": ("teacher_factor", NAN, "not finite or too large"),
    "a huge shift": ("shift", -(2**62), "shifted by more than 300 bits"),
    "too few means": ("means.trip", [0.0], "mean scores"),
    "a NaN mean": ("means.trip", [0.0, NAN, 0.0], "mean scores"),
    "too few weights of words": ("parts.trip.weights", b"1234", "weights are missing"),
    "a word more": ("parts.lift.names", ["a", "b", "c", "d"], "weights are missing"),
    "too few weights of a text": ("parts.wish.weights", b"", "weights are missing"),
    "too few weights of a normed text": ("parts.note.weights", bytes(12), "weights are missing"),
    "a negative power": ("parts.note.power", -1.0, "no numbers"),
    "a huge power": ("parts.note.power", 1e3, "no numbers"),
    "a NaN power": ("parts.note.power", NAN, "no numbers"),
    "a number without a slope": ("parts.age.slopes", [], "weights are missing"),
    "an infinite slope": ("parts.age.slopes", [0.0, 0.0, -INFINITY], "no numbers"),
    "a number with an edge more": ("parts.age.edges", [1.0] * 4, "weights are missing"),
    "a NaN edge": ("parts.age.edges", [0.0, NAN, 1.0], "no numbers"),
    "a number without deviation": ("parts.age.scale", 0.0, "no numbers"),
    "a NaN deviation": ("parts.age.scale", NAN, "no numbers"),
    "a negative deviation": ("parts.size.scale", -1.0, "no numbers"),
    "a NaN mean of a number": ("parts.size.mean", NAN, "no numbers"),
    "a NaN limit": ("parts.age.low", NAN, "no numbers"),
    "half a row of a missing number": ("parts.age.missing", bytes(8), "weights are missing"),
    "a number without pieces": ("parts.size.offsets", b"", "weights are missing"),
    "NaN pieces": ("parts.size.slopes", packed_floats([NAN] * 12), "no numbers"),
    "infinite offsets": ("parts.size.offsets", packed_floats([INFINITY] * 12), "no numbers"),
    "a missing number of another width": ("parts.size.missing", [1.0], "weights are missing"),
    "a day that is no date": ("parts.day.parts.days.low", 1e12, "no numbers"),
    "an infinite day": ("parts.day.parts.days.high", -INFINITY, "no numbers"),
    "no such part of a date": ("parts.day.parts.moon", {"type": "word"}, "parts that no date has"),
    "a month that is a number": ("parts.day.parts.month", {}, "parts that no date has"),
    "pairs without weights": ("pairs.weights", b"", "pairs do not fit"),
    "half a weight of pairs": ("pairs.weights", bytes(8 * 64 * 2 - 1), "pairs do not fit"),
    "NaN weights of pairs": ("pairs.weights", packed_floats([NAN] * 128), "pairs do not fit"),
    "pairs of a class that is not there": ("pairs.columns", [0, 3], "pairs do not fit"),
    "pairs of a negative class": ("pairs.columns", [-1, 0], "pairs do not fit"),
    "pairs with means of other fields": ("pairs.means.wish", [0.0] * 3, "pairs do not fit"),
    "pairs with too few means": ("pairs.means.age", [0.0], "pairs do not fit"),
    "pairs without deviation": ("pairs.inputs.0.scale", 0.0, "pairs do not fit"),
    "pairs of an unknown part of a date": ("pairs.inputs.2.name", "day.moon", "pairs do not fit"),
    "trees of no class": ("trees.columns", [], "scores that it does not have"),
    "trees of a class that is not there": ("trees.columns", [3, 0, 1], "scores that it does not"),
    "trees of a negative class": ("trees.columns", [0, -1, 1], "scores that it does not"),
    "trees of a NaN limit": ("trees.inputs.0.low", NAN, "ranges without a limit"),
    "trees of a day that is no date": ("trees.inputs.2.high", 4e6, "ranges without a limit"),
    "trees of an unknown part of a date": ("trees.inputs.3.name", "seen.moon", "parts of dates"),
    "trees with too few inputs": ("trees.inputs", [], "features that it does not have"),
    "trees without values": ("trees.nodes.values", b"", "cut off"),
    "texts of trees without scores": ("trees.texts.bias", [], "something else than scores"),
    "texts of trees without texts": ("trees.texts.parts", {}, "something else than scores"),
    "texts of trees with NaN": ("trees.texts.bias", [0.0, NAN], "no number"),
    "texts of trees with too few weights": ("trees.texts.parts.wish.weights", b"", "missing"),
}
INTERVAL_FAULTS: dict[str, tuple[str, object]] = {
    f"{member} of {name}": (f"{member}.{name}", value)
    for member in ("interval", "teacher_interval")
    for name, value in (
        ("edges", [1.0, 2.0]),
        ("below", [0.0]),
        ("above", []),
        ("above", [1.0, NAN]),
        ("below", [-INFINITY, 0.0]),
    )
}
MONTH_AS_NUMBER = plain(random_student(SEED, 3, {"dates"}))["parts"]["day"]["parts"]["year"]


def put(tree: Any, path: str, value: object) -> None:  # noqa: ANN401
    """Set the member of plain data at a path such as parts.age.low."""
    *steps, last = path.split(".")
    for step in steps:
        tree = tree[int(step) if isinstance(tree, list) else step]
    tree[last] = value


@pytest.mark.parametrize(("path", "value", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_student_with_a_fault_is_refused(path: str, value: object, fault: str) -> None:
    """Lengths and positions must fit, and no number may make answers NaN or infinite."""
    tree = every_kind()
    assert decode_student(*store(tree))
    if path.endswith("month"):
        value = MONTH_AS_NUMBER
    if path.endswith("moon"):
        value = tree["parts"]["trip"]
    put(tree, path, value)
    with pytest.raises(ArtifactError, match=rf"cannot be used: .*{fault}.*; train a new model"):
        decode_student(*store(tree))


@pytest.mark.parametrize(("path", "value"), INTERVAL_FAULTS.values(), ids=INTERVAL_FAULTS)
def test_an_interval_that_does_not_fit_is_refused(path: str, value: object) -> None:
    """It has one offset for each group on each side."""
    tree = every_kind(labels=0)
    tree["teacher_interval"] = dict(tree["interval"])
    assert decode_student(*store(tree)).teacher_interval
    put(tree, path, value)
    with pytest.raises(ArtifactError, match="intervals do not fit"):
        decode_student(*store(tree))


def test_trees_read_no_texts_that_are_no_texts() -> None:
    """Other scores than those of texts belong to the linear model."""
    for path, value in (("parts", every_kind()["parts"]), ("pairs", every_kind(2)["pairs"])):
        tree = every_kind()
        tree["trees"]["texts"][path] = value
        with pytest.raises(ArtifactError, match="something else than scores of texts"):
            decode_student(*store(tree))


def test_numbers_that_training_never_had_have_no_limits() -> None:
    """Infinite ones: no number is outside, and no warning is given."""
    tree = every_kind()
    for part in (tree["parts"]["age"], tree["parts"]["size"], *tree["trees"]["inputs"][:1]):
        part |= {"low": -INFINITY, "high": INFINITY}
    days = (tree["parts"]["day"]["parts"]["days"], tree["trees"]["inputs"][2])
    for part in days:
        part |= {"low": -INFINITY, "high": INFINITY}
    student = Student(decode_student(*store(tree)))
    warned = {warning.partition(":")[0] for warning in student.warnings(INPUTS[0])}
    assert not warned & {"age", "size", "day", "seen"}
