"""Teachers: the slow, accurate estimators, and their storage as skops files."""

from __future__ import annotations

import hashlib
import importlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
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
from enrich.import_string import import_from_path

from .column import Column, Columns, Kind

Estimator: TypeAlias = Any
Factory: TypeAlias = Callable[[], Estimator]

# The weight of an embedding relative to the words of its text. Half won in cross-validation on real
# utterances: an embedding says less than the words, and more than nothing.
VECTOR_WEIGHT = 0.5
CALIBRATION_FOLDS = 5
# Products of pairs are tried up to this many columns: their number grows with the square.
MOST_PAIRED = 20
# The regularization strengths that the ridge regression chooses from.
ALPHAS = (0.1, 1.0, 10.0, 100.0)
SEED = 0


@dataclass(frozen=True)
class Candidate:
    """A teacher that training may choose; `make` returns it unfitted."""

    name: str
    make: Factory


def candidates(
    spec: DatasetSpec, columns: Columns, rarest: int, code_paths: Sequence[str]
) -> list[Candidate]:
    """Return the teachers that cross-validation chooses from, or only the spec's own teacher.

    `rarest` is the number of rows of the rarest label: calibration needs rows of each label in each
    of its folds. The factory that a spec names is called with the columns and returns an unfitted
    estimator.
    """
    if spec.teacher != "default":
        factory = import_from_path(spec.teacher, code_paths)
        return [Candidate(spec.teacher, lambda: _checked(spec, factory(dict(columns))))]
    linear = Candidate("linear", lambda: _linear(spec, _features(columns), rarest))
    if "text" in columns.values():
        # Trees learn little from many thousand words, and there are too many words to pair.
        return [linear]
    boosting = Candidate("gradient-boosting", lambda: _boosting(spec, columns))
    if "vector" in columns.values() or len(columns) > MOST_PAIRED:
        return [linear, boosting]
    paired = Candidate("linear-pairs", lambda: _linear(spec, _pairs(columns), rarest))
    return [linear, paired, boosting]


def _checked(spec: DatasetSpec, estimator: Estimator) -> Estimator:
    """Return the estimator that the spec's factory made; raises TrainingError if it is unusable."""
    method = "predict_proba" if spec.kind == "classification" else "predict"
    if not hasattr(estimator, "fit") or not hasattr(estimator, method):
        raise TrainingError(f"{spec.teacher}: must return an estimator with fit and {method}")
    return estimator


def _linear(spec: DatasetSpec, features: Estimator, rarest: int) -> Estimator:
    if spec.kind == "regression":
        return make_pipeline(features, RidgeCV(alphas=ALPHAS, cv=5))
    if rarest < CALIBRATION_FOLDS:
        return make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
    margin = LinearSVC(random_state=SEED)
    return make_pipeline(
        features, CalibratedClassifierCV(margin, cv=CALIBRATION_FOLDS, ensemble=False)
    )


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
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+", strip_accents="unicode")
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, strip_accents="unicode"
    )
    return [
        ("words", make_pipeline(Column(name, as_text=True), words)),
        ("characters", make_pipeline(Column(name, as_text=True), characters)),
    ]


def _choice_parts(name: str) -> list[tuple[str, Pipeline]]:
    return [("choice", make_pipeline(Column(name), OneHotEncoder(handle_unknown="ignore")))]


def _number_parts(name: str) -> list[tuple[str, Pipeline]]:
    # An enricher may return None for some rows.
    imputer = SimpleImputer(keep_empty_features=True)
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
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        return make_pipeline(Column(name), encoder)
    return make_pipeline(Column(name))


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


# Our own transformer, and the type of the columns that encoders store.
_TRUSTED = frozenset({f"{Column.__module__}.{Column.__qualname__}", "numpy.dtype"})
