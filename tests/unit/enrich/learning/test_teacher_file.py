"""Tests of stored teachers: files without executable code, also those of older code."""

from __future__ import annotations

import hashlib
import operator
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from db.errors import ArtifactError
from db.records.enrichment import Vector
from db.records.trained_model import Artifact
from enrich.learning import column, teacher_file
from enrich.learning.column import (
    Column,
    Columns,
    FrequentWords,
    Missing,
    Numbers,
    Table,
    WordWeights,
    make_table,
)
from enrich.learning.teacher_file import dump_teacher, load_teacher
from tests.unit.sample_code import Middle

CODE = "tests.unit.sample_code"
# The score is an enrichment; the spec has the other fields.
COLUMNS: Columns = {"trip": "choice", "age": "number", "score": "number"}
ROWS: list[dict[str, Any]] = [
    {"trip": ("work", "fun")[at % 2], "age": at, "score": at % 2} for at in range(40)
]
NAMES = np.array([("big", "small")[at % 2] for at in range(40)])
NUMBERS = np.arange(40) * 2.5


def table() -> Table:
    """Return the rows as the table that a teacher reads."""
    return make_table(COLUMNS, ROWS)


def full_table() -> Table:
    """Return a table of every kind of column, without gaps."""
    columns: Columns = {**COLUMNS, "wish": "text", "meaning": "vector"}
    rows = [{**row, "wish": "a room", "meaning": Vector.of([row["age"], 1.0])} for row in ROWS]
    return make_table(columns, rows)


def old_teachers() -> dict[str, Any]:
    """Return teachers as they were made before students were teachers, by kind."""
    columns = [
        ("trip", make_pipeline(Column("trip"), OneHotEncoder(handle_unknown="ignore"))),
        ("age", make_pipeline(Column("age"), SimpleImputer(), StandardScaler())),
        ("words", make_pipeline(Column("wish", as_text=True), WordWeights())),
        ("missing", make_pipeline(Missing("wish"))),
        ("meaning", make_pipeline(Column("meaning"), Normalizer())),
    ]
    words = make_pipeline(Column("wish", as_text=True), FrequentWords(max_features=50))
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = [
        ("trip", make_pipeline(Column("trip"), codes)),
        ("age", make_pipeline(Numbers("age"))),
        ("wish", make_union(Missing("wish"), words)),
    ]
    pairs = make_pipeline(FeatureUnion(columns[:2]), PolynomialFeatures(2), RidgeCV())
    return {
        "calibrated": make_pipeline(
            FeatureUnion(columns), CalibratedClassifierCV(LinearSVC(), cv=3, ensemble=False)
        ),
        "logistic": make_pipeline(FeatureUnion(columns), LogisticRegression()),
        "trees": make_pipeline(FeatureUnion(trees), HistGradientBoostingClassifier(max_iter=5)),
        "ridge": make_pipeline(FeatureUnion(columns), RidgeCV()),
        "number trees": make_pipeline(FeatureUnion(trees), HistGradientBoostingRegressor()),
        "pairs": pairs,
    }


@pytest.mark.parametrize("name", old_teachers())
def test_teachers_that_older_code_stored_are_loaded(name: str) -> None:
    """Nobody has to train again because the code was upgraded."""
    estimator = old_teachers()[name]
    is_number = name in {"ridge", "number trees", "pairs"}
    estimator.fit(full_table(), NUMBERS if is_number else NAMES)
    loaded = load_teacher(dump_teacher(estimator), ())
    asked = full_table()
    assert loaded.predict(asked).tolist() == estimator.predict(asked).tolist()


def test_the_types_of_older_teachers_are_where_they_were() -> None:
    """Files name them by module."""
    for name in ("Column", "Numbers", "Missing", "WordWeights", "FrequentWords"):
        assert getattr(column, name).__module__ == "enrich.learning.column"
        assert f"enrich.learning.column.{name}" in teacher_file._TRUSTED


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
