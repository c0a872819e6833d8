"""Teachers: the slow, accurate estimators, and their storage as skops files."""

from __future__ import annotations

import hashlib
import importlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from db.errors import ArtifactError, TrainingError
from db.records.trained_model import Artifact
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from enrich.import_string import import_from_path

from .column import (
    Column,
    Columns,
    FrequentWords,
    Kind,
    Missing,
    Numbers,
    Table,
    WordWeights,
)
from .training_table import Extent

Estimator: TypeAlias = Any
Factory: TypeAlias = Callable[[], Estimator]

# The weight of an embedding relative to the words of its text. Half won in cross-validation on real
# utterances: an embedding says less than the words, and more than nothing.
VECTOR_WEIGHT = 0.5
CALIBRATION_FOLDS = 5
# Products of pairs are tried up to this many features and cells of the table of products. Beyond
# that they took minutes and were no better.
MOST_PAIRED = 60
MOST_PAIRED_CELLS = 500_000
# Trees read this many words of a text, and vectors up to this length beside one. More are slow.
MOST_WORDS = 50
MOST_DIMENSIONS = 64
# With a text, trees are tried up to this many labels: each label has trees of its own.
MOST_LABELS_OF_TREES = 20
# How much a linear model of such rows may say for each record: others must be extrapolated.
SHRUNK = {"linear-shrunk": 5.0, "linear-shrunk-more": 1.0}
# On fewer rows no model is fitted.
FEWEST_FITTED = 5
# The regularization strengths that the ridge regression chooses from.
ALPHAS = (0.1, 1.0, 10.0, 100.0)
SEED = 0
WORD = r"(?u)\w+"


@dataclass(frozen=True)
class Candidate:
    """A teacher that training may choose; `make` returns it unfitted."""

    name: str
    make: Factory


def candidates(
    spec: DatasetSpec, columns: Columns, extent: Extent, code_paths: Sequence[str]
) -> list[Candidate]:
    """Return the teachers that cross-validation chooses from, or only the spec's own teacher.

    The factory that a spec names is called with the columns and returns an unfitted estimator.
    """
    if spec.teacher != "default":
        factory = import_from_path(spec.teacher, code_paths)
        return [Candidate(spec.teacher, lambda: _checked(spec, factory(dict(columns))))]
    return list(_default_candidates(spec, columns, extent))


def _default_candidates(spec: DatasetSpec, columns: Columns, extent: Extent) -> Iterator[Candidate]:
    yield Candidate("linear", lambda: _linear(spec, _features(columns), extent))
    if extent.repeats > 1 and spec.kind == "classification":
        for name, strength in SHRUNK.items():
            yield Candidate(name, partial(_shrunk, columns, strength / extent.repeats))
    if _can_pair(columns, extent):
        yield Candidate("linear-pairs", lambda: _linear(spec, _pairs(columns), extent))
    read = _read_by_trees(spec, columns, extent)
    if read:
        yield Candidate("gradient-boosting", lambda: _boosting(spec, read))


def _can_pair(columns: Columns, extent: Extent) -> bool:
    if {"text", "vector"} & set(columns.values()):
        return False
    cells = extent.rows * len(columns) ** 2 // 2
    return sum(extent.features.values()) <= MOST_PAIRED and cells <= MOST_PAIRED_CELLS


def _read_by_trees(spec: DatasetSpec, columns: Columns, extent: Extent) -> Columns:
    """Return the columns that gradient boosting reads; none of a table of texts alone."""
    if "text" not in columns.values():
        return columns
    if all(isinstance(field, TextField) for field in spec.fields.values()):
        return {}
    if extent.labels > MOST_LABELS_OF_TREES:
        return {}
    return {
        name: kind
        for name, kind in columns.items()
        if kind != "vector" or extent.features[name] <= MOST_DIMENSIONS
    }


def _checked(spec: DatasetSpec, estimator: Estimator) -> Estimator:
    """Return the estimator that the spec's factory made; raises TrainingError if it is unusable."""
    method = "predict_proba" if spec.kind == "classification" else "predict"
    if not hasattr(estimator, "fit") or not hasattr(estimator, method):
        raise TrainingError(f"{spec.teacher}: must return an estimator with fit and {method}")
    return estimator


def _linear(spec: DatasetSpec, features: Estimator, extent: Extent) -> Estimator:
    if spec.kind == "regression":
        # Rows of the same record say no more about other records than one does.
        alphas = [alpha * extent.repeats for alpha in ALPHAS]
        return make_pipeline(features, RidgeCV(alphas=alphas, cv=shuffled(KFold)))
    if extent.rarest < CALIBRATION_FOLDS or extent.repeats > 1:
        return make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
    margin = LinearSVC(random_state=SEED)
    return make_pipeline(
        features, CalibratedClassifierCV(margin, cv=shuffled(StratifiedKFold), ensemble=False)
    )


def shuffled(kind: type[Any]) -> Any:  # noqa: ANN401
    """Return a splitter of rows that are perhaps sorted, such as by date."""
    return kind(CALIBRATION_FOLDS, shuffle=True, random_state=SEED)


def _shrunk(columns: Columns, strength: float) -> Estimator:
    return make_pipeline(_features(columns), LogisticRegression(C=strength, max_iter=1000))


def _features(columns: Columns) -> FeatureUnion:
    parts: list[tuple[str, Pipeline]] = []
    for name, kind in columns.items():
        parts += [(f"{name}-{part}", step) for part, step in _PARTS[kind](name)]
    weights = {name: VECTOR_WEIGHT for name, _ in parts if name.endswith("-vector")}
    return FeatureUnion(parts, transformer_weights=weights)


def _pairs(columns: Columns) -> Estimator:
    """Return all features, their squares and the products of each two.

    Squares let an effect bend, as that of age does; products let one field change the effect of
    another, as a degree changes that of income.
    """
    pairs = PolynomialFeatures(degree=2, include_bias=False)
    return make_pipeline(_features(columns), pairs, StandardScaler(with_mean=False))


def _text_parts(name: str) -> list[tuple[str, Pipeline]]:
    words = WordWeights(ngram_range=(1, 2), token_pattern=WORD, strip_accents="unicode")
    characters = WordWeights(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, strip_accents="unicode"
    )
    return [
        ("words", make_pipeline(Column(name, as_text=True), words)),
        ("characters", make_pipeline(Column(name, as_text=True), characters)),
        ("missing", make_pipeline(Missing(name))),
    ]


def _choice_parts(name: str) -> list[tuple[str, Pipeline]]:
    return [("choice", make_pipeline(Column(name), OneHotEncoder(handle_unknown="ignore")))]


def _number_parts(name: str) -> list[tuple[str, Pipeline]]:
    # A missing number is the mean, and has a feature of its own if training had one.
    imputer = SimpleImputer(keep_empty_features=True, add_indicator=True)
    return [("number", make_pipeline(Column(name), imputer, StandardScaler()))]


def _vector_parts(name: str) -> list[tuple[str, Pipeline]]:
    return [("vector", make_pipeline(Column(name), Normalizer()))]


_PARTS: dict[Kind, Callable[[str], list[tuple[str, Pipeline]]]] = {
    "text": _text_parts,
    "choice": _choice_parts,
    "number": _number_parts,
    "vector": _vector_parts,
}


def _boosting(spec: DatasetSpec, columns: Columns) -> Estimator:
    parts = [(name, _boosting_part(name, kind)) for name, kind in columns.items()]
    boosting = (
        HistGradientBoostingRegressor
        if spec.kind == "regression"
        else HistGradientBoostingClassifier
    )
    # Few leaves and a low learning rate: users' tables are mostly small.
    return make_pipeline(
        FeatureUnion(parts),
        boosting(
            learning_rate=0.05,
            max_leaf_nodes=8,
            max_iter=200,
            early_stopping=False,
            random_state=SEED,
        ),
    )


def _boosting_part(name: str, kind: Kind) -> Pipeline:
    if kind == "choice":
        # An unseen choice is a missing value to the trees.
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        return make_pipeline(Column(name), encoder)
    if kind == "text":
        words = FrequentWords(
            token_pattern=WORD, strip_accents="unicode", binary=True, use_idf=False, norm=None,
            max_features=MOST_WORDS, min_df=2,
        )  # fmt: skip
        return make_union(Missing(name), make_pipeline(Column(name, as_text=True), words))
    return make_pipeline(Numbers(name) if kind == "number" else Column(name))


def fit_teacher(candidate: Candidate, rows: Table, labels: Any) -> Estimator:  # noqa: ANN401
    """Return a candidate fitted on rows; a constant answer where there is nothing to tell apart."""
    if len(labels) >= FEWEST_FITTED and len(set(labels.tolist())) > 1:
        return candidate.make().fit(rows, labels)
    is_number = labels.dtype.kind == "f"
    constant = DummyRegressor() if is_number else DummyClassifier(strategy="prior")
    return constant.fit(np.zeros((len(rows), 1)), labels)


def dump_teacher(estimator: Estimator) -> Artifact:
    """Return a fitted teacher as a skops file with its SHA-256."""
    data = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    return Artifact(data, hashlib.sha256(data).hexdigest())


def load_teacher(artifact: Artifact, code_paths: Sequence[str]) -> Estimator:
    """Return the teacher that `dump_teacher` stored; raises ArtifactError if it cannot be trusted.

    No pickle is read. Only types of scikit-learn, of the packages in CODE_PATHS and of _TRUSTED are
    created from the file.
    """
    if hashlib.sha256(artifact.data).hexdigest() != artifact.sha256:
        raise ArtifactError("the teacher's bytes do not match their SHA-256; train again")
    try:
        unknown = skops.io.get_untrusted_types(data=artifact.data)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactError(f"the teacher is not a skops file: {error}; train again") from error
    roots = tuple(f"{root}." for root in ("sklearn", *code_paths))
    trusted = [name for name in unknown if name in _TRUSTED or _is_from(name, roots)]
    refused = sorted(set(unknown) - set(trusted))
    if refused:
        raise ArtifactError(
            f"the teacher has types outside CODE_PATHS: {', '.join(refused)}; add their packages"
        )
    return skops.io.loads(artifact.data, trusted=trusted)


def _is_from(name: str, roots: tuple[str, ...]) -> bool:
    """Return True if a type is defined in one of the packages, not merely imported there."""
    if not name.startswith(roots):
        return False
    module_name, _, attribute = name.rpartition(".")
    try:
        named = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError):
        return False
    return f"{getattr(named, '__module__', '')}.".startswith(roots)


# Our own transformers, and the type of the columns that encoders store.
_OURS = (Column, Numbers, Missing, WordWeights, FrequentWords)
_TRUSTED = frozenset({*(f"{our.__module__}.{our.__qualname__}" for our in _OURS), "numpy.dtype"})
