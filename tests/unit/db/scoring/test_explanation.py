"""Tests of explanations: each amount, their sum and their order, for students of every kind."""

from __future__ import annotations

import math
import sys
from collections import defaultdict

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from db.scoring.explanation import Explanation
from db.scoring.student import Student
from db.scoring.student_data import (
    LinearData,
    NormedTextPart,
    StudentData,
    TextPart,
    TreesData,
    WordPart,
)
from db.spec.field import Inputs, Value
from tests.random_trees import Node, pack_trees

from .random_students import (
    KINDS,
    SHIFT,
    numbers_of_labels,
    packed,
    random_inputs,
    random_kinds,
    random_student,
)
from .student_reference import amounts_of

UNIT = 2**SHIFT
TEXTS = ("wish", "note")
PAIR = 2
# A day that far from the others makes one label all but certain.
EARLY_DAY: Inputs = {
    **dict.fromkeys(("wish", "note", "trip", "lift", "size", "seen")),
    "age": 0,
    "day": "2000-01-01",
}


def all_reasons(data: StudentData, inputs: Inputs) -> Explanation:
    """Return an explanation that leaves no reason out."""
    return Student(data).explain(inputs, most=10**6)


def first_two(data: StudentData, inputs: Inputs) -> list[int]:
    """Return the positions of the label that is answered and of the next; only 0 for a number."""
    if not data.labels:
        return [0]
    why = Student(data).explain(inputs)
    return [data.labels.index(name) for name in (str(why.prediction), why.over) if name is not None]


def by_field(data: StudentData, amounts: dict[str, float]) -> dict[str, float]:
    """Return the amounts; those of texts as one, if trees share what they read of several."""
    found: dict[str, float] = defaultdict(float)
    for field, amount in amounts.items():
        is_shared = data.trees and data.trees.texts and field in TEXTS
        found["texts" if is_shared else field] += amount
    return found


def expected_amounts(data: StudentData, inputs: Inputs) -> dict[str | None, float]:
    """Return the amount of each field in the unit of the explanation, and the base under None."""
    order = first_two(data, inputs)
    over = order[1:]
    return {
        field: data.target_scale * (row[order[0]] - sum(row[at] for at in over))
        for field, row in amounts_of(data, inputs).items()
    }


@pytest.mark.parametrize("kind", [*KINDS, None])
@given(st.data(), st.integers(0, 2**32), numbers_of_labels, random_inputs)
def test_each_field_has_the_amount_that_it_adds_to_an_average_row(
    kind: str | None, drawn: st.DataObject, seed: int, labels: int, inputs: Inputs
) -> None:
    """Of students of one kind and of mixed ones; words and parts of dates add to their field."""
    kinds = {kind} if kind else drawn.draw(random_kinds)
    data = random_student(seed, labels, kinds)
    why = all_reasons(data, inputs)
    wanted = expected_amounts(data, inputs)
    base = wanted.pop(None)
    size = 1 + sum(map(abs, wanted.values())) + abs(base)
    found: dict[str, float] = defaultdict(float)
    for reason in why.reasons:
        found[reason.field] += reason.amount
        assert reason.value == inputs[reason.field]
    known = {str(field): amount for field, amount in wanted.items()}
    assert by_field(data, found) == pytest.approx(
        {**dict.fromkeys(by_field(data, found), 0.0), **by_field(data, known)}, abs=1e-9 * size
    )
    assert why.base == pytest.approx(data.target_mean + base, abs=1e-9 * size)


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, random_inputs, st.integers(0, 12))
@example(9590, 3, {"normed texts", "dates", "numbers", "words"}, EARLY_DAY, 0)
def test_base_amounts_and_rest_add_up_to_the_answer(
    seed: int, labels: int, kinds: set[str], inputs: Inputs, most: int
) -> None:
    """That is the number, or the logarithm of how much more likely a label is than the next."""
    data = random_student(seed, labels, kinds)
    student = Student(data)
    why = student.explain(inputs, most)
    assert len(why.reasons) <= most
    amounts = [reason.amount for reason in all_reasons(data, inputs).reasons]
    size = 1 + sum(map(abs, amounts)) + abs(why.base)
    total = why.base + sum(reason.amount for reason in why.reasons) + why.rest
    assert total == pytest.approx(why.total, abs=1e-9 * size)
    if not labels:
        assert (why.prediction, why.over) == (why.total, None)
        assert why.total == student.number(inputs)
        return
    chances = dict(zip(student.labels, student.probabilities(inputs), strict=True))
    # Labels of equal rounded probability are answered in order of their names.
    assert chances[str(why.prediction)] == pytest.approx(max(chances.values()), abs=1e-6)
    # Probabilities below the smallest normal float have too few digits to be divided by.
    if why.over is not None and chances[why.over] >= sys.float_info.min:
        odds = chances[str(why.prediction)] / chances[why.over]
        assert why.total == pytest.approx(math.log(odds), abs=1e-9)
        others = {name: chance for name, chance in chances.items() if name != why.prediction}
        assert chances[why.over] == max(others.values())


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, random_inputs)
def test_the_strongest_reasons_come_first_and_none_comes_twice(
    seed: int, labels: int, kinds: set[str], inputs: Inputs
) -> None:
    """Amounts for and against an answer are equally strong; ten reasons are given."""
    data = random_student(seed, labels, kinds)
    every = all_reasons(data, inputs).reasons
    sizes = [abs(reason.amount) for reason in every]
    assert sizes == sorted(sizes, reverse=True)
    names = [(reason.field, reason.word) for reason in every]
    assert len(set(names)) == len(names)
    why = Student(data).explain(inputs)
    assert why.reasons == every[:10]
    assert why.rest == pytest.approx(sum(reason.amount for reason in every[10:]))


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, random_inputs, random_inputs)
def test_a_value_that_changes_the_answer_has_an_amount(
    seed: int, labels: int, kinds: set[str], inputs: Inputs, others: Inputs
) -> None:
    """Before the change or after it."""
    data = random_student(seed, labels, kinds)
    before = all_reasons(data, inputs)
    for field, value in others.items():
        after = all_reasons(data, {**inputs, field: value})
        is_same = (after.prediction, after.over) == (before.prediction, before.over)
        if data.labels and not is_same:
            continue
        reasons = [*before.reasons, *after.reasons]
        has_amount = any(reason.field == field and reason.amount for reason in reasons)
        assert has_amount or after.total == pytest.approx(before.total, rel=1e-9, abs=1e-9)


@given(st.integers(0, 2**32), numbers_of_labels, random_inputs)
def test_a_date_is_one_reason(seed: int, labels: int, inputs: Inputs) -> None:
    """All its parts, in the linear model, in pairs and in trees, make up one amount."""
    data = random_student(seed, labels, {"dates", "pairs", "trees"})
    fields = [reason.field for reason in all_reasons(data, inputs).reasons]
    assert sorted(fields) == ["age", "day", "lift", "seen", "size", "trip"]


def tags(*kinds: type[TextPart | NormedTextPart]) -> StudentData:
    """Return a student of two labels whose text fields have the words sea, view and cheap."""
    words = {"sea": (3, 0), "view": (0, 2), "cheap": (1, 1), "sea view": (-1, 0), "": (7, 0)}
    parts: dict[str, TextPart | NormedTextPart] = {}
    for field, kind in zip(TEXTS, kinds, strict=False):
        if kind is TextPart:
            rows = [weight * UNIT for row in words.values() for weight in row]
            parts[field] = TextPart([*words], packed(rows))
        else:
            # Each square is 1/4, so that the norm of four words is 1.
            rows = [w for row in words.values() for w in (*(one * UNIT for one in row), UNIT // 4)]
            parts[field] = NormedTextPart([*words], packed(rows), 1.0)
    return StudentData(labels=["a", "b"], bias=[0.0, 0.0], shift=SHIFT, parts=dict(parts))


def words_of(data: StudentData, inputs: Inputs) -> dict[str | None, float]:
    """Return the amounts of the first text field by word, for the label a over b."""
    why = all_reasons(data, inputs)
    sign = 1 if why.prediction == "a" else -1
    return {one.word: sign * one.amount for one in why.reasons if one.field == TEXTS[0]}


@pytest.mark.parametrize("kind", [TextPart, NormedTextPart])
def test_words_and_pairs_of_words_are_reasons(kind: type[TextPart | NormedTextPart]) -> None:
    """The rest of the text is under no word; a normed text of four features has a norm of 1."""
    inputs: Inputs = {"wish": "Cheap SEA view"}
    assert words_of(tags(kind), inputs) == pytest.approx(
        {"cheap": 0.0, "sea": 3.0, "view": -2.0, "sea view": -1.0, None: 0.0}
    )


@pytest.mark.parametrize("kind", [TextPart, NormedTextPart])
def test_a_missing_text_is_one_reason(kind: type[TextPart | NormedTextPart]) -> None:
    """It has no words."""
    wanted = 7.0 if kind is TextPart else 14.0
    assert words_of(tags(kind), {"wish": None}) == {None: wanted}


def test_the_mean_of_a_text_belongs_to_the_text_as_such() -> None:
    """Words are compared with none; the text with an average one."""
    data = msgspec.structs.replace(tags(TextPart), means={"wish": [1.5, 0.25]})
    why = all_reasons(data, {"wish": "sea"})
    assert words_of(data, {"wish": "sea"}) == {"sea": 3.0, None: -1.25}
    assert (why.base, why.total) == (1.25, 3.0)


def trees_of_texts() -> StudentData:
    """Return a student whose only tree reads the score of label a of two texts."""
    linear = tags(NormedTextPart, NormedTextPart)
    texts = LinearData(bias=[0.0, 0.0], shift=SHIFT, parts=linear.parts)
    tree = Node(0.5, 0, 1.0, children=(Node(-1.0), Node(2.5)))
    trees = TreesData(columns=[0], inputs=[], nodes=pack_trees([tree]), texts=texts)
    return msgspec.structs.replace(linear, parts={}, trees=trees)


@pytest.mark.parametrize(
    ("wish", "note", "of_wish"),
    [("sea", "sea", 1.0), ("sea", "nothing", 2.0), ("nothing", "sea", 0.0), (None, "cheap", 1.56)],
)
def test_texts_that_trees_read_share_the_amount_by_how_much_they_say(
    wish: Value, note: Value, of_wish: float
) -> None:
    """A text without known words has no share."""
    why = all_reasons(trees_of_texts(), {"wish": wish, "note": note})
    assert why.total == 2.5
    amounts = {reason.field: reason.amount for reason in why.reasons}
    assert amounts == pytest.approx({"wish": of_wish, "note": 2.0 - of_wish}, abs=0.01)


def test_without_a_lowest_answer_the_total_is_the_answer_and_else_it_may_be_below() -> None:
    """The reasons add up to what the student would have answered."""
    trip = WordPart(["far"], packed([-4 * UNIT]))
    data = StudentData(labels=[], bias=[1.0], shift=SHIFT, parts={"trip": trip}, lowest=0.0)
    why = Student(data).explain({"trip": "far"})
    assert (why.prediction, why.total, why.base) == (0.0, -3.0, 1.0)
    assert [(one.field, one.value, one.amount) for one in why.reasons] == [("trip", "far", -4.0)]
