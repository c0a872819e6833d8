"""Tests of stored teachers: files without executable code, also those of older code."""

from __future__ import annotations

import hashlib
import io
import json
import operator
import pickle
import random
import sys
import zipfile
from collections.abc import Callable
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
from db.scoring.packed_numbers import Vector
from db.scoring.student_data import Artifact
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
from enrich.learning.trusted_types import TRUSTED
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
        assert f"enrich.learning.column.{name}" in TRUSTED


def test_a_type_outside_code_paths_is_not_loaded_from_a_file() -> None:
    """The message names the type, so that its package can be added."""
    stored = dump_teacher(Middle().fit(table(), NUMBERS))
    with pytest.raises(ArtifactError, match=rf"not trusted: {CODE}\.Middle; .* CODE_PATHS"):
        load_teacher(stored, ("datasets",))


def test_a_function_outside_code_paths_is_not_loaded_from_a_file() -> None:
    """A transformer of scikit-learn may contain any function."""
    stored = dump_teacher(make_pipeline(FunctionTransformer(operator.neg), Middle()))
    with pytest.raises(ArtifactError, match=r"not trusted: .*operator\.neg"):
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


def repacked(data: bytes, change: Callable[[str, bytes], bytes]) -> Artifact:
    """Return a teacher file with changed members, and the SHA-256 that it has then."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return artifact(out.getvalue())


def artifact(data: bytes) -> Artifact:
    """Return bytes with their own SHA-256, as whoever writes the store can make them."""
    return Artifact(data, hashlib.sha256(data).hexdigest())


def forged(func: dict[str, Any]) -> Artifact:
    """Return a pipeline whose function is what an attacker has put in its place."""
    teacher = make_pipeline(FunctionTransformer(np.log1p), StandardScaler())
    data = dump_teacher(teacher.fit(np.ones((3, 1)))).data

    def change(name: str, content: bytes) -> bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        steps = schema["content"]["content"]["steps"]["content"]
        transformer = steps[0]["content"][1]["content"]["content"]
        assert "func" in transformer
        transformer["func"] = func
        return json.dumps(schema).encode()

    return repacked(data, change)


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the part of a skops file that stands for a type or a function."""
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


NOTHING = node("TupleNode", "builtins", "tuple", content=[])
WORDS = node("TupleNode", "builtins", "tuple", content=[
    node("JsonNode", "builtins", "str", content='"upper"', is_json=True)
])  # fmt: skip
EVIL = [
    ("sklearn.utils._testing", "assert_run_python_script_without_output"),
    ("sklearn.utils.fixes", "parse_version"),
    ("sklearn.datasets._openml", "fetch_openml"),
    ("sklearn.datasets._base", "load_files"),
    ("sklearn.utils._show_versions", "show_versions"),
    ("functools", "partial"),
    ("numpy", "load"),
    ("builtins", "eval"),
    ("os", "system"),
    ("subprocess", "Popen"),
]


@pytest.mark.parametrize("loader", ["FunctionNode", "TypeNode"])
@pytest.mark.parametrize(("module", "name"), EVIL)
def test_a_function_that_is_not_listed_is_refused(loader: str, module: str, name: str) -> None:
    """Also one of scikit-learn: some of them start programs, or read files."""
    with pytest.raises(ArtifactError, match=rf"not trusted: {module}\.{name}; "):
        load_teacher(forged(node(loader, module, name)), ("datasets", "tests"))


@pytest.mark.parametrize(
    "func",
    [
        node("OperatorFuncNode", "operator", "methodcaller", attrs=WORDS),
        node(
            "PartialNode", "functools", "partial",
            content={
                "func": node("FunctionNode", "numpy", "add"),
                **dict.fromkeys(("args", "kwds", "namespace"), NOTHING),
            },
        ),
        node(
            "MethodNode", "numpy", "dtype",
            content={"func": "tofile", "obj": node("ObjectNode", "numpy", "dtype")},
        ),
        node("ConstructorFromReduceNode", "pathlib", "Path", content=WORDS),
        node("ObjectNode", "sklearn.utils._testing", "TempMemmap"),
    ],
    ids=lambda func: func["__loader__"],
)  # fmt: skip
def test_nothing_is_called_that_a_file_makes_of_trusted_parts(func: dict[str, Any]) -> None:
    """A call, a part of a call or a method is refused, whatever it is made of."""
    with pytest.raises(ArtifactError, match="not trusted"):
        load_teacher(forged(func), ("datasets", "tests"))


def test_a_name_that_code_paths_merely_import_is_refused() -> None:
    """It must be defined there: this module imports pickle."""
    for name in ("pickle", "make_pipeline", "os"):
        with pytest.raises(ArtifactError, match="not trusted"):
            load_teacher(forged(node("FunctionNode", __name__, name)), ("tests",))


def test_a_refused_file_imports_nothing() -> None:
    """Importing a module runs its code."""
    with pytest.raises(ArtifactError, match="not trusted: antigravity"):
        load_teacher(forged(node("FunctionNode", "antigravity", "fly")), ("tests",))
    assert "antigravity" not in sys.modules


def squared(values: Any) -> Any:  # noqa: ANN401
    """Return squares, as a user's own function in a pipeline does."""
    return values**2


def test_functions_and_types_of_code_paths_go_on() -> None:
    """Who can write the store can name them in a spec as well."""
    teacher = make_pipeline(FunctionTransformer(squared), Middle()).fit(np.ones((3, 1)), [1, 2, 3])
    loaded = load_teacher(dump_teacher(teacher), ("tests",))
    assert loaded.predict(np.ones((1, 1))).tolist() == [2.0]


def test_a_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is unpacked piece by piece, and never all of it."""
    monkeypatch.setattr(teacher_file, "MOST_BYTES", 10**6)
    data = dump_teacher(Middle().fit(table(), NUMBERS)).data
    bomb = repacked(data, lambda _, content: content + b" " * 2 * 10**6)
    with pytest.raises(ArtifactError, match="takes more than 1,000,000 bytes"):
        load_teacher(bomb, ("tests",))


def test_a_file_in_the_file_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sparse matrices are zip files of their own."""
    monkeypatch.setattr(teacher_file, "MOST_BYTES", 10**6)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", b" " * 2 * 10**6)
    data = dump_teacher(Middle().fit(table(), NUMBERS)).data
    with pytest.raises(ArtifactError, match="takes more than"):
        load_teacher(repacked(data, lambda _, __: inner.getvalue()), ("tests",))


def test_a_size_that_the_file_states_wrongly_is_refused() -> None:
    """Whoever reads it by that size would unpack more than was checked."""
    data = bytearray(dump_teacher(Middle().fit(table(), NUMBERS)).data)
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (1).to_bytes(4, "little")
    with pytest.raises(ArtifactError, match="states wrong sizes"):
        load_teacher(artifact(bytes(data)), ("tests",))


def test_a_changed_file_is_refused_or_loaded_and_nothing_else() -> None:
    """Whatever is in the bytes, there is one error for it."""
    chance = random.Random(16)
    teacher = old_teachers()["trees"].fit(full_table(), NAMES)
    data = dump_teacher(teacher).data
    for _ in range(40):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            chosen = chance.choice(archive.namelist())

        def change(name: str, content: bytes, chosen: str = chosen) -> bytes:
            return mutated(content, chance) if name == chosen else content

        for changed in (repacked(data, change), artifact(mutated(data, chance))):
            try:
                load_teacher(changed, ("tests",))
            except ArtifactError as error:
                assert "\n" not in str(error)  # noqa: PT017  either outcome is right


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return bytes of which some are changed, doubled or left out."""
    some = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(max(len(some), 1))
        length = chance.choice([1, 1, 1, 4, 40])
        some[at : at + length] = chance.choice(
            [b"", chance.randbytes(length), bytes(some[at : at + length]) * 2]
        )
    return bytes(some)


class Trap:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._folder,)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    """Its SHA-256 is right: write access to the store must not allow running code."""
    data = pickle.dumps(Trap(tmp_path / "sprung"))
    with pytest.raises(ArtifactError):
        load_teacher(Artifact(data, hashlib.sha256(data).hexdigest()), ("tests", "pathlib"))
    assert not (tmp_path / "sprung").exists()
