"""Tests of teachers: which candidates are tried, and their storage without executable code."""

from __future__ import annotations

import hashlib
import operator
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from db.errors import ArtifactError, EnricherError, TrainingError
from db.records.enrichment import Vector
from db.records.trained_model import Artifact
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, Field, NumberField, TextField
from enrich.learning.column import Columns, Table, columns_of, make_table
from enrich.learning.teacher import (
    Candidate,
    candidates,
    dump_teacher,
    fit_teacher,
    load_teacher,
)
from enrich.learning.training_table import Extent
from tests.unit.sample_code import Middle

CODE = "tests.unit.sample_code"
COLUMNS: Columns = {"trip": "choice", "age": "number"}
ROWS = [{"trip": ("work", "fun")[at % 2], "age": at} for at in range(40)]
NAMES = np.array([("big", "small")[at % 2] for at in range(40)])
NUMBERS = np.arange(40) * 2.5


def spec(kind: str, teacher: str = "default") -> DatasetSpec:
    """Return the spec of a small table."""
    fields: dict[str, Field] = {"trip": ChoiceField(choices=("work", "fun")), "age": NumberField()}
    options: dict[str, Any] = {"kind": kind, "fields": fields, "teacher": teacher}
    return DatasetSpec(name="guests", target="room", **options)


def candidates_for(
    kind: str, columns: Columns = COLUMNS, teacher: str = "default"
) -> list[Candidate]:
    """Return the candidates for a table with enough rows of each label."""
    return candidates(spec(kind, teacher), columns, extent(columns), ("datasets", "tests"))


def extent(columns: Columns = COLUMNS, **more: Any) -> Extent:  # noqa: ANN401
    """Return the extent of a table of 40 records, each with one row."""
    usual: dict[str, Any] = {"rows": 40, "records": 40, "labels": 2, "rarest": 20}
    return Extent(**usual | {"features": dict.fromkeys(columns, 2)} | more)


def table() -> Table:
    """Return the rows as the table that a teacher reads."""
    return make_table(COLUMNS, ROWS)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_classifier_answers_the_same_after_it_was_stored(at: int) -> None:
    """Every candidate is loaded without a package in CODE_PATHS."""
    estimator = candidates_for("classification")[at].make().fit(table(), NAMES)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert list(loaded.classes_) == ["big", "small"]
    assert np.array_equal(loaded.predict_proba(table()), estimator.predict_proba(table()))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_regressor_answers_the_same_after_it_was_stored(at: int) -> None:
    """Every candidate is loaded without a package in CODE_PATHS."""
    estimator = candidates_for("regression")[at].make().fit(table(), NUMBERS)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert np.array_equal(loaded.predict(table()), estimator.predict(table()))


def test_a_teacher_of_texts_and_vectors_answers_the_same_after_it_was_stored() -> None:
    """Sentences and their embeddings are columns of these types."""
    columns: Columns = {"wish": "text", "meaning": "vector"}
    dtype = [("wish", "O"), ("meaning", "f4", (3,))]
    rows = np.array([(f"{name} room {at % 3}", (at, 1, 2)) for at, name in enumerate(NAMES)], dtype)
    linear, _ = candidates_for("classification", columns)
    estimator = linear.make().fit(rows, NAMES)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert np.array_equal(loaded.predict_proba(rows), estimator.predict_proba(rows))
    assert (loaded.predict(rows) == NAMES).all()


def test_a_rare_label_can_still_be_learnt() -> None:
    """It has too few rows for calibration, which needs some in each of its folds."""
    labels = np.array(["big"] * 37 + ["small"] * 3)
    linear = candidates(spec("classification"), COLUMNS, extent(rarest=3), ())[0]
    probabilities = linear.make().fit(table(), labels).predict_proba(table())
    assert probabilities.shape == (40, 2)
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (COLUMNS, ["linear", "linear-pairs", "gradient-boosting"]),
        ({**COLUMNS, "wish": "text"}, ["linear", "gradient-boosting"]),
        ({**COLUMNS, "meaning": "vector"}, ["linear", "gradient-boosting"]),
        ({f"n{at}": "number" for at in range(31)}, ["linear", "gradient-boosting"]),
    ],
)
def test_the_candidates_depend_on_the_columns(columns: Columns, names: list[str]) -> None:
    """Words, vectors and many features have too many pairs."""
    assert [candidate.name for candidate in candidates_for("regression", columns)] == names


def test_a_choice_of_many_values_is_not_paired() -> None:
    """Its products with other columns would take minutes."""
    many = extent(features={"trip": 3000, "age": 1})
    tried = candidates(spec("classification"), COLUMNS, many, ())
    assert [candidate.name for candidate in tried] == ["linear", "gradient-boosting"]


def test_texts_alone_are_left_to_the_linear_teacher() -> None:
    """Trees learn little from words; beside a number or a choice they compete."""
    texts = DatasetSpec(
        name="wishes", kind="classification", target="room", fields={"wish": TextField()}
    )
    columns: Columns = {"wish": "text", "language": "choice"}
    tried = candidates(texts, columns, extent(columns), ())
    assert [candidate.name for candidate in tried] == ["linear"]


def test_rows_that_repeat_few_records_are_also_fitted_with_more_shrinkage() -> None:
    """A model that takes each of fourteen records at its word cannot answer a fifteenth."""
    repeated = extent(rows=2201, records=14)
    tried = candidates(spec("classification"), COLUMNS, repeated, ())
    assert [candidate.name for candidate in tried] == [
        *("linear", "linear-shrunk", "linear-shrunk-more"),
        *("linear-pairs", "gradient-boosting"),
    ]
    for candidate in tried:
        estimator = candidate.make().fit(table(), NAMES)
        loaded = load_teacher(dump_teacher(estimator), ())
        assert np.array_equal(loaded.predict(table()), estimator.predict(table()))


MIXED: Columns = {"trip": "choice", "age": "number", "wish": "text", "meaning": "vector"}
WISHES = ("blue room", "", "red room", "")


def mixed_table(*, gaps: bool) -> Table:
    """Return a table of every kind of column, in which every second value may be missing."""
    rows = [
        {
            "trip": ("work", None)[at % 2],
            "age": None if at % 3 else at,
            "wish": WISHES[at % 4] or None,
            "meaning": None if at % 2 else Vector.of([at, 1.0]),
        }
        for at in range(40)
    ]
    full = [
        {"trip": "work", "age": at, "wish": "a room", "meaning": Vector.of([at, 1.0])}
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
    columns: Columns = {"age": "number", "wish": "text"}
    for name, value in (("age", 30), ("wish", "a room")):
        rows = [
            {"age": 30, "wish": "a room", name: None if label == "big" else value}
            for label in NAMES
        ]
        numbers = make_table(columns, rows)
        fitted = candidates_for("classification", columns)[at].make().fit(numbers, NAMES)
        assert (fitted.predict(numbers) == NAMES).all()


@pytest.mark.parametrize("at", [0, 1])
def test_a_choice_that_training_had_not_is_answered(at: int) -> None:
    """Choices are open, and a missing one is unknown where training had none."""
    fitted = candidates_for("regression")[at].make().fit(table(), NUMBERS)
    asked = make_table(COLUMNS, [{"trip": "sport", "age": 20}, {"trip": None, "age": 20}])
    first, second = fitted.predict(asked)
    assert first == second
    assert 0 < first < NUMBERS.max()


@pytest.mark.parametrize("wishes", [["", "", "", "Ex"], ["?", "!", "", "..."]])
def test_a_text_with_hardly_a_word_does_not_stop_training(wishes: list[str]) -> None:
    """scikit-learn refuses texts that leave no word to learn."""
    columns: Columns = {"wish": "text", "age": "number"}
    rows = make_table(
        columns, [{"wish": wishes[at % 4] or None, "age": at % 2} for at in range(40)]
    )
    for candidate in candidates_for("classification", columns):
        assert (candidate.make().fit(rows, NAMES).predict(rows) == NAMES).all()


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


def test_a_type_outside_code_paths_is_not_loaded_from_a_file() -> None:
    """The message names the type, so that its package can be added."""
    stored = dump_teacher(Middle().fit(table(), NUMBERS))
    with pytest.raises(ArtifactError, match=rf"outside CODE_PATHS: {CODE}\.Middle"):
        load_teacher(stored, ("datasets",))


def test_a_function_outside_code_paths_is_not_loaded_from_a_file() -> None:
    """A transformer of scikit-learn may contain any function."""
    stored = dump_teacher(make_pipeline(FunctionTransformer(operator.neg), Middle()))
    with pytest.raises(ArtifactError, match=r"outside CODE_PATHS: .*operator\.neg"):
        load_teacher(stored, ("datasets", "tests"))


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_damaged_teacher_is_refused(at: int) -> None:
    """One changed bit is enough."""
    stored = dump_teacher(Middle().fit(table(), NUMBERS))
    damaged = bytearray(stored.data)
    damaged[at] ^= 1
    with pytest.raises(ArtifactError, match="do not match their SHA-256"):
        load_teacher(Artifact(bytes(damaged), stored.sha256), ("tests",))


def test_a_teacher_is_stored_with_the_sha256_of_its_bytes() -> None:
    """The SHA-256 is checked when the teacher is loaded."""
    stored = dump_teacher(Middle().fit(table(), NUMBERS))
    assert stored.sha256 == hashlib.sha256(stored.data).hexdigest()


class Trap:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._folder,)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    """Its SHA-256 is right: write access to the store must not allow running code."""
    data = pickle.dumps(Trap(tmp_path / "sprung"))
    with pytest.raises((ArtifactError, zipfile.BadZipFile)):
        load_teacher(Artifact(data, hashlib.sha256(data).hexdigest()), ("tests", "pathlib"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_every_default_teacher_reads_a_column_without_any_number(kind: str) -> None:
    """A field may be empty in all rows so far, and be filled in a later request."""
    spec = DatasetSpec(
        name="t",
        kind=kind,  # type: ignore[arg-type]
        target="y",
        fields={"a": NumberField(), "empty": NumberField(optional=True)},
    )
    columns = columns_of(spec, {})
    rows = [{"a": at, "empty": None} for at in range(60)]
    labels = np.arange(60.0) if kind == "regression" else np.array(["x", "y"] * 30)
    filled = make_table(columns, [{"a": 1, "empty": 5}])
    extent = Extent(rows=60, records=60, labels=2, rarest=20, features={"a": 2, "empty": 2})
    for candidate in candidates(spec, columns, extent, ()):
        teacher = candidate.make().fit(make_table(columns, rows), labels)
        loaded = load_teacher(dump_teacher(teacher), ())
        assert loaded.predict(filled).tolist() == teacher.predict(filled).tolist()
