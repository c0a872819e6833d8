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
from db.records.trained_model import Artifact
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, Field, NumberField
from enrich.learning.column import Columns, Table, make_table
from enrich.learning.teacher import Candidate, candidates, dump_teacher, load_teacher
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
    return candidates(spec(kind, teacher), columns, 20, ("datasets", "tests"))


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
    (linear,) = candidates_for("classification", columns)
    estimator = linear.make().fit(rows, NAMES)
    loaded = load_teacher(dump_teacher(estimator), ())
    assert np.array_equal(loaded.predict_proba(rows), estimator.predict_proba(rows))
    assert (loaded.predict(rows) == NAMES).all()


def test_a_rare_label_can_still_be_learnt() -> None:
    """It has too few rows for calibration, which needs some in each of its folds."""
    labels = np.array(["big"] * 37 + ["small"] * 3)
    linear = candidates(spec("classification"), COLUMNS, 3, ())[0]
    probabilities = linear.make().fit(table(), labels).predict_proba(table())
    assert probabilities.shape == (40, 2)
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (COLUMNS, ["linear", "linear-pairs", "gradient-boosting"]),
        ({**COLUMNS, "wish": "text"}, ["linear"]),
        ({**COLUMNS, "meaning": "vector"}, ["linear", "gradient-boosting"]),
        ({f"n{at}": "number" for at in range(21)}, ["linear", "gradient-boosting"]),
    ],
)
def test_the_candidates_depend_on_the_columns(columns: Columns, names: list[str]) -> None:
    """Trees learn little from words, and many columns have too many pairs."""
    assert [candidate.name for candidate in candidates_for("regression", columns)] == names


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
        candidates(spec("regression", f"{CODE}.middle"), COLUMNS, 20, ("datasets",))


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
