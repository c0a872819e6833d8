"""Tests of teachers: which candidates are tried, and their storage without executable code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.errors import EnricherError, TrainingError
from db.scoring.packed_numbers import Vector
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, Field, NumberField, TextField
from enrich.learning.column import (
    Columns,
    Table,
    make_table,
)
from enrich.learning.teacher import Candidate, candidates, fit_teacher, sharpen
from enrich.learning.teacher_file import dump_teacher, load_teacher
from enrich.learning.training_table import Extent

CODE = "tests.unit.sample_code"
# The score is an enrichment; the spec has the other fields.
COLUMNS: Columns = {"trip": "choice", "age": "number", "score": "number"}
ROWS = [{"trip": ("work", "fun")[at % 2], "age": at, "score": at % 2} for at in range(40)]
NAMES = np.array([("big", "small")[at % 2] for at in range(40)])
NUMBERS = np.arange(40) * 2.5


def spec(kind: str, teacher: str = "default", *, with_text: bool = False) -> DatasetSpec:
    """Return the spec of a small table."""
    fields: dict[str, Field] = {"trip": ChoiceField(choices=("work", "fun")), "age": NumberField()}
    fields |= {"wish": TextField(optional=True)} if with_text else {}
    options: dict[str, Any] = {"kind": kind, "fields": fields, "teacher": teacher}
    return DatasetSpec(name="guests", target="room", **options)


def candidates_for(
    kind: str, columns: Columns = COLUMNS, teacher: str = "default"
) -> list[Candidate]:
    """Return the candidates for a table with enough rows of each label."""
    made = spec(kind, teacher, with_text="wish" in columns)
    return candidates(made, columns, extent(columns), ("datasets", "tests"))


def extent(columns: Columns = COLUMNS, **more: Any) -> Extent:  # noqa: ANN401
    """Return the extent of a table of 40 records, each with one row."""
    usual: dict[str, Any] = {"rows": 40, "records": 40, "labels": 2}
    return Extent(**usual | {"features": dict.fromkeys(columns, 2)} | more)


def table() -> Table:
    """Return the rows as the table that a teacher reads."""
    return make_table(COLUMNS, ROWS)


@pytest.mark.parametrize("at", [0, 1])
def test_a_classifier_answers_the_same_after_it_was_stored(at: int) -> None:
    """Every candidate is loaded without a package in CODE_PATHS."""
    estimator = candidates_for("classification")[at].make().fit(table(), NAMES)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert list(loaded.classes_) == ["big", "small"]
    assert np.array_equal(loaded.predict_proba(table()), estimator.predict_proba(table()))


@pytest.mark.parametrize("at", [0, 1])
def test_a_regressor_answers_the_same_after_it_was_stored(at: int) -> None:
    """Every candidate is loaded without a package in CODE_PATHS."""
    estimator = candidates_for("regression")[at].make().fit(table(), NUMBERS)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert np.array_equal(loaded.predict(table()), estimator.predict(table()))


@pytest.mark.parametrize("near", ["words", "words and vectors", "words, vectors and others"])
def test_a_teacher_of_texts_answers_the_same_after_it_was_stored(near: str) -> None:
    """Its neighbours are sentences, and their embeddings if there are any."""
    columns: Columns = {"wish": "text"}
    columns |= {"meaning": "vector"} if "vectors" in near else {}
    columns |= {"age": "number"} if "others" in near else {}
    rows = make_table(
        columns,
        [
            {"wish": f"{name} room {at % 3}", "meaning": Vector.of([at, 1, 2]), "age": at}
            for at, name in enumerate(NAMES)
        ],
    )
    linear = candidates_for("classification", columns)[0]
    assert linear.name == "margin + neighbours"
    estimator = linear.make().fit(rows, NAMES)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert np.array_equal(loaded.predict_proba(rows), estimator.predict_proba(rows))
    assert loaded.predict_proba(rows).sum(axis=1) == pytest.approx(1)
    assert (loaded.predict(rows) == NAMES).all()


def test_neighbours_answer_where_words_are_new() -> None:
    """A sentence without a known word is near to those of the same meaning."""
    columns: Columns = {"wish": "text", "meaning": "vector"}
    signs = [1.0 if name == "big" else -1.0 for name in NAMES]
    rows = [
        {"wish": f"word{at} other{at}", "meaning": Vector.of([sign, 0.1 * (at % 3)])}
        for at, sign in enumerate(signs)
    ]
    fitted = (
        candidates_for("classification", columns)[0].make().fit(make_table(columns, rows), NAMES)
    )
    asked = [{"wish": "zzz", "meaning": Vector.of([sign, 0.05])} for sign in (1.0, -1.0)]
    assert fitted.predict(make_table(columns, asked)).tolist() == ["big", "small"]


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize(
    ("columns", "names"),
    [
        # A portable model reads as much.
        ({"trip": "choice", "age": "number"}, []),
        (COLUMNS, ["linear", "gradient-boosting"]),
        ({"trip": "choice", "age": "number", "wish": "text"}, ["texts"]),
        ({**COLUMNS, "wish": "text"}, ["texts", "gradient-boosting"]),
        ({"trip": "choice", "age": "number", "meaning": "vector"}, ["texts"]),
        ({"age": "number", "mood": "choice"}, ["linear", "gradient-boosting"]),
    ],
)
def test_the_candidates_are_teachers_that_know_more_than_a_portable_model(
    kind: str, columns: Columns, names: list[str]
) -> None:
    """Of texts a margin and neighbours say more, of enrichments whatever reads them."""
    of_texts = "margin + neighbours" if kind == "classification" else "linear"
    expected = [of_texts if name == "texts" else name for name in names]
    assert [candidate.name for candidate in candidates_for(kind, columns)] == expected


def test_trees_of_many_labels_are_not_tried() -> None:
    """Each label has trees of its own."""
    many = extent(labels=21)
    tried = candidates(spec("classification"), COLUMNS, many, ())
    assert [candidate.name for candidate in tried] == ["linear"]


def test_texts_alone_are_not_given_to_trees() -> None:
    """Trees learn little from words; beside a number or a choice they compete."""
    texts = DatasetSpec(
        name="wishes", kind="classification", target="room", fields={"wish": TextField()}
    )
    columns: Columns = {"wish": "text", "language": "choice"}
    tried = candidates(texts, columns, extent(columns), ())
    assert [candidate.name for candidate in tried] == ["margin + neighbours"]


def test_probabilities_are_sharpened_by_a_factor_of_their_logarithms() -> None:
    """The factor 1 leaves them as they are, and a larger one makes the likely more likely."""
    even = np.array([[0.8, 0.2], [0.5, 0.5]])
    assert sharpen(even, 1.0) == pytest.approx(even)
    assert sharpen(even, 2.0) == pytest.approx(np.array([[16 / 17, 1 / 17], [0.5, 0.5]]))


MIXED: Columns = {**COLUMNS, "wish": "text", "meaning": "vector"}
WISHES = ("blue room", "", "red room", "")


def mixed_table(*, gaps: bool) -> Table:
    """Return a table of every kind of column, in which every second value may be missing."""
    rows = [
        {
            "trip": ("work", None)[at % 2],
            "age": None if at % 3 else at,
            "score": None if at % 5 else at % 2,
            "wish": WISHES[at % 4] or None,
            "meaning": None if at % 2 else Vector.of([at, 1.0]),
        }
        for at in range(40)
    ]
    full = [
        {"trip": "work", "age": at, "score": 1, "wish": "a room", "meaning": Vector.of([at, 1.0])}
        for at in range(40)
    ]
    return make_table(MIXED, rows if gaps else full)


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("gaps", [True, False])
def test_missing_values_are_learnt_and_answered(kind: str, at: int, *, gaps: bool) -> None:
    """Also where training had none of them, and from the stored file."""
    labels = NAMES if kind == "classification" else NUMBERS
    candidate = candidates_for(kind, MIXED)[at]
    estimator = load_teacher(dump_teacher(candidate.make().fit(mixed_table(gaps=gaps), labels)), ())
    for asked in (mixed_table(gaps=True), mixed_table(gaps=False)):
        answers = estimator.predict(asked)
        assert len(answers) == 40
        assert kind == "classification" or np.isfinite(answers).all()


@pytest.mark.parametrize("at", [0, 1])
def test_a_missing_value_is_a_value_of_its_own(at: int) -> None:
    """Only the gap tells the labels apart."""
    labels = np.tile(NAMES, 2)
    columns: Columns = {"age": "number", "wish": "text", "score": "number"}
    for name, value in (("age", 30), ("wish", "a room")):
        rows = [
            {"age": 30, "wish": "a room", "score": 1, name: None if label == "big" else value}
            for label in labels
        ]
        numbers = make_table(columns, rows)
        fitted = candidates_for("classification", columns)[at].make().fit(numbers, labels)
        assert (fitted.predict(numbers) == labels).all()


@pytest.mark.parametrize("at", [0, 1])
def test_a_choice_that_training_had_not_is_answered(at: int) -> None:
    """Choices are open, and a missing one is unknown where training had none."""
    fitted = candidates_for("regression")[at].make().fit(table(), NUMBERS)
    asked = make_table(COLUMNS, [{"trip": trip, "age": 20, "score": 0} for trip in ("sport", None)])
    first, second = fitted.predict(asked)
    assert first == second
    assert 0 < first < NUMBERS.max()


@pytest.mark.parametrize("wishes", [["", "", "", "Ex"], ["?", "!", "", "..."]])
def test_a_text_with_hardly_a_word_does_not_stop_training(wishes: list[str]) -> None:
    """scikit-learn refuses texts that leave no word to learn."""
    labels = np.tile(NAMES, 2)
    columns: Columns = {"wish": "text", "score": "number"}
    rows = make_table(
        columns, [{"wish": wishes[at % 4] or None, "score": at % 2} for at in range(80)]
    )
    for candidate in candidates_for("classification", columns):
        assert (candidate.make().fit(rows, labels).predict(rows) == labels).all()


def test_rows_with_one_label_are_fitted_with_a_constant() -> None:
    """All rows of the other label may be in the fold that is held out."""
    linear = candidates_for("classification")[0]
    constant = fit_teacher(linear, table(), np.array(["big"] * 40))
    assert constant.predict_proba(table()[:2]).tolist() == [[1.0], [1.0]]
    mean = fit_teacher(linear, table()[:2], NUMBERS[:2])
    assert mean.predict(table()[:1]).tolist() == [1.25]


def test_a_users_own_teacher_is_the_only_one_tried() -> None:
    """Its name is the path in the spec."""
    (own,) = candidates_for("regression", teacher=f"{CODE}.middle")
    assert own.name == f"{CODE}.middle"
    estimator = own.make().fit(table(), NUMBERS)
    loaded = load_teacher(dump_teacher(estimator), ("tests",))
    assert loaded.predict(table()[:2]).tolist() == [48.75, 48.75]


@pytest.mark.parametrize(
    ("kind", "teacher", "wanted"),
    [
        ("regression", "no_teacher", "fit and predict"),
        ("classification", "middle", "fit and predict_proba"),
    ],
)
def test_a_users_teacher_that_cannot_answer_is_refused(
    kind: str, teacher: str, wanted: str
) -> None:
    """It is refused before it is fitted."""
    (own,) = candidates_for(kind, teacher=f"{CODE}.{teacher}")
    with pytest.raises(TrainingError, match=f"must return an estimator with {wanted}"):
        own.make()


def test_a_users_teacher_outside_code_paths_is_refused() -> None:
    """The rule is the same as for enrichers."""
    with pytest.raises(EnricherError, match="outside CODE_PATHS"):
        candidates(spec("regression", f"{CODE}.middle"), COLUMNS, extent(), ("datasets",))


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_every_default_teacher_reads_a_column_without_any_number(kind: str) -> None:
    """A field or enrichment may be empty in all rows so far, and be filled in a later request."""
    rows = [{**row, "age": None, "score": None} for row in ROWS]
    labels = NUMBERS if kind == "regression" else NAMES
    filled = make_table(COLUMNS, [{"trip": "fun", "age": 5, "score": 5}])
    tried = candidates_for(kind)
    assert len(tried) == 2
    for candidate in tried:
        teacher = candidate.make().fit(make_table(COLUMNS, rows), labels)
        loaded = load_teacher(dump_teacher(teacher), ())
        assert loaded.predict(filled).tolist() == teacher.predict(filled).tolist()
