"""Tests of the choice of teacher and student: a teacher must earn its place."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from db.scoring.packed_numbers import Vector
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField, TextField
from enrich.learning.problem import DatasetProblem, make_problem
from enrich.learning.quality.calibration import calibration_error
from enrich.learning.selection import Selection, select, try_teacher
from enrich.learning.teacher import Candidate, candidates
from enrich.learning.training_table import Frame, extent_of, make_frame

from .frames import frame_of, no_rows, silent, spec_of, unlabelled_of

Kind = Literal["classification", "regression"]
KINDS: tuple[Kind, ...] = ("classification", "regression")
Row = dict[str, Any]


def enriched(spec: DatasetSpec, rows: list[Row], enrichers: list[str]) -> Frame:
    """Return the frame of rows with values of enrichers, unlabelled without a target `y`."""
    records = [
        (spec.key(inputs), inputs, [str(row["y"])] if "y" in row else [])
        for row in rows
        for inputs in [spec.pick_inputs({name: row[name] for name in spec.fields})]
    ]
    return make_frame(spec, records, rows, enrichers)


@dataclass(frozen=True)
class Tried:
    """A selection with what it was made from."""

    frame: Frame
    learning: DatasetProblem
    candidates: list[Candidate]
    selection: Selection


def selected(spec: DatasetSpec, frame: Frame, unlabelled: Frame | None = None) -> Tried:
    """Return the choice of training for a frame."""
    others = unlabelled if unlabelled is not None and len(unlabelled.keys) else frame_like(frame)
    learning = make_problem(spec, frame, others)
    tried = candidates(spec, frame.columns, extent_of(frame), ("tests",))
    return Tried(frame, learning, tried, select(learning, tried, frame, others, silent))


def frame_like(frame: Frame) -> Frame:
    """Return a frame without records that has the columns of another."""
    return Frame([], [], frame.columns, frame.table[:0], frame.folds[:0], frame.labels[:0],
                 frame.index[:0])  # fmt: skip


def numbers(kind: Kind, count: int = 150) -> list[Row]:
    """Return rows whose target depends on a number that is an enrichment alone."""
    chance, rows = random.Random(1), []
    for _ in range(count):
        size, hidden = chance.random(), chance.random()
        value = size + 4 * hidden + chance.gauss(0, 0.3)
        y = value if kind == "regression" else f"{value > 2.5}"
        rows.append({"size": size, "hidden": hidden, "chance": chance.random(), "y": y})
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_teacher_that_reads_what_inputs_do_not_say_is_chosen(kind: Kind) -> None:
    """The student answers as well as inputs alone allow."""
    spec = spec_of(kind, size=NumberField())
    selection = selected(spec, enriched(spec, numbers(kind), ["hidden"])).selection
    assert selection.teacher is not None
    assert selection.name == selection.teacher.candidate.name
    assert selection.name in {"linear", "gradient-boosting"}
    assert selection.teacher_rows is not selection.student


@pytest.mark.parametrize("kind", KINDS)
def test_a_teacher_that_reads_noise_is_not_chosen(kind: Kind) -> None:
    """The student is the teacher then."""
    spec = spec_of(kind, size=NumberField())
    tried = selected(spec, enriched(spec, numbers(kind), ["chance"]))
    assert tried.candidates
    assert tried.selection.teacher is None
    assert tried.selection.teacher_rows is tried.selection.student
    assert tried.selection.name == tried.selection.found.name


@pytest.mark.parametrize("kind", KINDS)
def test_without_enrichments_the_student_of_a_table_is_the_teacher(kind: Kind) -> None:
    """No teacher could know more."""
    spec = spec_of(kind, size=NumberField())
    tried = selected(spec, frame_of(spec, numbers(kind, 60)))
    assert tried.candidates == []
    assert tried.selection.teacher is None


def test_a_spec_s_own_teacher_is_the_teacher_even_if_it_is_worse() -> None:
    """It always answers the median."""
    plain = spec_of("regression", size=NumberField())
    own = DatasetSpec(
        name="rooms",
        kind="regression",
        target="y",
        fields=plain.fields,
        teacher="tests.unit.sample_code.middle",
    )
    rows = [{"size": at, "y": at} for at in range(60)]
    tried = selected(own, frame_of(own, rows))
    assert tried.selection.name == "tests.unit.sample_code.middle"
    errors = [
        np.abs(answers[:, 0] - tried.frame.labels[tried.frame.index]).mean()
        for answers in (tried.selection.teacher_rows, tried.selection.student)
    ]
    assert errors[0] > 10 > errors[1]


def test_a_teacher_answers_records_that_it_has_not_seen() -> None:
    """Pure noise is answered no better than by chance, although the teacher has a good memory."""
    spec = spec_of("classification", wish=TextField())
    chance = random.Random(2)
    rows = [{"wish": f"{word_of(chance)} {at}", "y": chance.choice("xy")} for at in range(150)]
    frame = frame_of(spec, rows)
    learning = make_problem(spec, frame, no_rows(spec))
    (text,) = candidates(spec, frame.columns, extent_of(frame), ())
    tried = try_teacher(text, learning, frame, no_rows(spec), silent)
    right = (tried.rows.argmax(axis=1) == learning.problem.rows.target.labels).mean()
    assert right < 0.62
    assert tried.rows.max(axis=1).mean() < 0.65


def word_of(chance: random.Random) -> str:
    """Return a word that nobody has ever said."""
    return "".join(chance.choice("abcdefgh") for _ in range(6))


def test_a_teacher_s_probabilities_are_calibrated() -> None:
    """Labels of one record, which it cannot answer while it is held out, do not spoil them."""
    spec = spec_of("classification", wish=TextField())
    chance, rows = random.Random(3), []
    for at in range(300):
        is_red = chance.random() < 0.5
        wish = f"{'rouge' if is_red else 'bleu'} {word_of(chance)} {word_of(chance)}"
        y = f"odd {at}" if at < 15 else f"red {is_red != (chance.random() < 0.1)}"
        rows.append({"wish": wish, "y": y})
    frame = frame_of(spec, rows)
    learning = make_problem(spec, frame, no_rows(spec))
    (text,) = candidates(spec, frame.columns, extent_of(frame), ())
    tried = try_teacher(text, learning, frame, no_rows(spec), silent)
    labels = learning.problem.rows.target.labels
    is_common = np.char.startswith(np.array(learning.names), "red")[labels]
    assert calibration_error(tried.rows[is_common], labels[is_common]) < 0.07
    assert tried.factor != 1
    assert tried.rows.max(axis=1).mean() > 0.8


SYNONYMS = {
    "good": ("super", "ravi", "genial", "parfait", "heureux", "content", "bravo", "merci"),
    "bad": ("triste", "nul", "rate", "panne", "colere", "lent", "cher", "froid"),
}
# As an embedding would: words of the same meaning are near to each other.
MEANING = {word: tone for tone, words in SYNONYMS.items() for word in words}


def spoken(chance: random.Random, *, labelled: bool) -> Row:
    """Return a sentence of a tone, and what it means as a vector."""
    tone = chance.choice(("good", "bad"))
    wish = f"{chance.choice(SYNONYMS[tone])} {word_of(chance)} {word_of(chance)}"
    sign = 1.0 if MEANING[wish.split(maxsplit=1)[0]] == "good" else -1.0
    meaning = Vector.of([sign + chance.gauss(0, 0.3), chance.gauss(0, 0.3), 0.1])
    row: Row = {"wish": wish, "meaning": meaning}
    return {**row, "y": tone} if labelled else row


def of_sentences(labelled: int, unlabelled: int, disturb: Callable[[Row], Row]) -> Tried:
    """Return the choice for sentences whose meaning is an enrichment."""
    chance = random.Random(4)
    spec = spec_of("classification", wish=TextField())
    rows = [spoken(chance, labelled=True) for _ in range(labelled)]
    others = [disturb(spoken(chance, labelled=False)) for _ in range(unlabelled)]
    return selected(spec, enriched(spec, rows, ["meaning"]), enriched(spec, others, ["meaning"]))


def test_the_student_learns_from_the_teacher_s_answers_to_unlabelled_records() -> None:
    """Few labelled sentences have few of the words; the teacher knows what the others mean."""
    helped = of_sentences(40, 400, lambda row: row)
    alone = of_sentences(40, 0, lambda row: row)
    assert helped.selection.learns_answers
    assert helped.selection.name == "margin + neighbours"
    assert not alone.selection.learns_answers
    assert _loss(helped) < _loss(alone) - 0.1


def test_answers_that_do_not_help_the_student_are_not_learnt() -> None:
    """The teacher answers nonsense for records whose meaning is not that of their words."""
    misled = of_sentences(60, 300, lambda row: {**row, "meaning": _turned(row["meaning"])})
    assert misled.selection.teacher is not None
    assert len(misled.selection.teacher.unlabelled) > 1
    assert not misled.selection.learns_answers


def _turned(meaning: Vector) -> Vector:
    return Vector.of([-one for one in np.frombuffer(meaning.data, "<f4").tolist()])


def _loss(tried: Tried) -> float:
    labels = tried.learning.problem.rows.target.labels
    chances = tried.selection.student[np.arange(len(labels)), labels]
    return float(-np.log(chances).mean())


@pytest.mark.parametrize("negative", [True, False])
def test_counts_are_not_answered_below_zero(*, negative: bool) -> None:
    """A straight line would; what is reported is what is served."""
    spec = spec_of("regression", hour=NumberField())
    rows = [
        {"hour": at, "more": 1.0, "y": max(0, at - 40) ** 2 - (500 if negative else 0)}
        for at in range(60)
    ]
    frame = enriched(spec, rows, ["more"])
    learning = make_problem(spec, frame, frame_like(frame))
    for candidate in candidates(spec, frame.columns, extent_of(frame), ()):
        answers = try_teacher(candidate, learning, frame, frame_like(frame), silent).rows
        assert (answers.min() < -400) if negative else (answers.min() >= 0)
    student = select(learning, [], frame, frame_like(frame), silent).student
    assert (student.min() < -400) if negative else (student.min() >= 0)


def test_a_target_of_many_labels_with_three_rows_each_is_learnt() -> None:
    """Forty-one topics, told apart by one word of three sentences."""
    spec = spec_of("classification", text=TextField())
    openings = ("please look at", "again about", "who knows")
    rows = [
        {"text": f"{opening} topic{at}", "y": f"t{at}"} for at in range(41) for opening in openings
    ]
    tried = selected(spec, frame_of(spec, rows))
    labels = tried.learning.problem.rows.target.labels
    for answers in (tried.selection.teacher_rows, tried.selection.student):
        assert (answers.argmax(axis=1) == labels).mean() > 0.7


def test_the_teacher_s_answers_to_unlabelled_records_are_a_target() -> None:
    """A label counts as much as it is likely, a number as every other."""
    spec = spec_of("classification", wish=TextField())
    frame = frame_of(spec, [{"wish": f"w{at}", "y": "ab"[at % 2]} for at in range(20)])
    learning = make_problem(spec, frame, unlabelled_of(spec, [{"wish": "w"}]))
    target = learning.as_target(np.array([20, 21]), np.array([[0.7, 0.3], [0.1, 0.9]]))
    assert (target.labels.tolist(), target.weights.tolist()) == ([0, 1], [0.7, 0.9])
    assert target.records.tolist() == [20, 21]
    line = spec_of("regression", wish=TextField())
    frame = frame_of(line, [{"wish": f"w{at}", "y": at % 2 * 10} for at in range(20)])
    learning = make_problem(line, frame, no_rows(line))
    target = learning.as_target(np.array([20, 21]), np.array([[0.0], [10.0]]))
    assert target.labels.tolist() == [-1, 1]
    assert target.weights.tolist() == [1, 1]
