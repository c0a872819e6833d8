"""Teachers that only training and workers have: of texts, of enrichments, or a spec's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from db.errors import TrainingError
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
    is_input,
)
from .portable.search import MOST_LABELS_OF_TREES
from .quality.calibration import LEAST_PROBABILITY
from .text_teacher import TextCounts, TextTeacher
from .training_table import Extent

Array: TypeAlias = npt.NDArray[Any]
Estimator: TypeAlias = Any
Factory: TypeAlias = Callable[[], Estimator]

# Trees read this many words of a text, and vectors up to this length. More are slow.
MOST_WORDS = 50
MOST_DIMENSIONS = 64
# On fewer rows no model is fitted.
FEWEST_FITTED = 5
VECTOR_WEIGHT = 0.5
# The regularization strengths that the ridge regression chooses from, by rows that may be sorted.
ALPHAS = (0.1, 1.0, 10.0, 100.0)
SEED = 0
_SHUFFLED = KFold(3, shuffle=True, random_state=SEED)
WORD = r"(?u)\w+"


@dataclass(frozen=True)
class Candidate:
    """A teacher that training may choose; `make` returns it unfitted."""

    name: str
    make: Factory
    # Whether the spec demands this teacher.
    is_demanded: bool = False


def candidates(
    spec: DatasetSpec, columns: Columns, extent: Extent, code_paths: Sequence[str]
) -> list[Candidate]:
    """Return the teachers that cross-validation chooses from, or only the spec's own teacher.

    The factory that a spec names is called with the columns and returns an unfitted estimator.
    """
    if spec.teacher != "default":
        factory = import_from_path(spec.teacher, code_paths)
        make = partial(_make_checked, spec, factory, dict(columns))
        return [Candidate(spec.teacher, make, is_demanded=True)]
    return list(_default_candidates(spec, columns, extent))


def _default_candidates(spec: DatasetSpec, columns: Columns, extent: Extent) -> Iterator[Candidate]:
    """Yield teachers that know more than a portable model: of texts, or of enrichments."""
    enrichments = {name: kind for name, kind in columns.items() if not is_input(spec, name)}
    has_texts = "text" in columns.values() or "vector" in enrichments.values()
    if spec.kind == "classification" and has_texts:
        yield Candidate("margin + neighbours", partial(_text_teacher, columns))
    elif has_texts or enrichments:
        yield Candidate("linear", partial(_linear, spec, columns))
    is_text = all(isinstance(field, TextField) for field in spec.fields.values())
    if (
        not is_text
        and set(enrichments.values()) - {"vector"}
        and extent.labels <= MOST_LABELS_OF_TREES
    ):
        yield Candidate("gradient-boosting", partial(_boosting, spec, _narrow(columns, extent)))


def _narrow(columns: Columns, extent: Extent) -> Columns:
    return {
        name: kind
        for name, kind in columns.items()
        if kind != "vector" or extent.features[name] <= MOST_DIMENSIONS
    }


def _make_checked(spec: DatasetSpec, factory: Callable[..., Any], columns: Columns) -> Estimator:
    """Return the estimator that the spec's factory made; raises TrainingError if it is unusable."""
    estimator = factory(columns)
    method = "predict_proba" if spec.kind == "classification" else "predict"
    if not hasattr(estimator, "fit") or not hasattr(estimator, method):
        raise TrainingError(f"{spec.teacher}: must return an estimator with fit and {method}")
    return estimator


def _text_teacher(columns: Columns) -> Estimator:
    texts, vectors, others = (
        _only(columns, kinds) for kinds in ({"text"}, {"vector"}, {"choice", "number"})
    )
    if not texts:
        # Its words are in a field that no teacher can read: other columns take their place.
        texts, others = others, {}
    counts = [(name, make_pipeline(Column(name, as_text=True), TextCounts())) for name in texts]
    return TextTeacher(
        FeatureUnion(counts) if "text" in texts.values() else _features(texts),
        _features(vectors) if vectors else None,
        _features(others) if others else None,
    )


def _only(columns: Columns, kinds: Collection[str]) -> Columns:
    return {name: kind for name, kind in columns.items() if kind in kinds}


def _linear(spec: DatasetSpec, columns: Columns) -> Estimator:
    if spec.kind == "classification":
        return make_pipeline(_features(columns), LogisticRegression(max_iter=1000))
    return make_pipeline(_features(columns), RidgeCV(alphas=ALPHAS, cv=_SHUFFLED))


def _features(columns: Columns) -> FeatureUnion:
    parts: list[tuple[str, Pipeline]] = []
    for name, kind in columns.items():
        parts += [(f"{name}-{part}", step) for part, step in _PARTS[kind](name)]
    weights = {name: VECTOR_WEIGHT for name, _ in parts if name.endswith("-vector")}
    return FeatureUnion(parts, transformer_weights=weights)


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
    return make_pipeline(
        FeatureUnion(parts),
        boosting(
            learning_rate=0.05,
            max_leaf_nodes=15,
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


def answer(
    estimator: Estimator,
    rows: Any,  # noqa: ANN401
    names: list[str],
    lowest: float = -math.inf,
    factor: float = 1.0,
) -> Array:
    """Return the estimator's answers, one row for each of `rows`.

    A row has a probability for each of `names`, calibrated by `factor`, or one number of at least
    `lowest` if `names` is empty.
    """
    if not names:
        numbers: Array = np.asarray(estimator.predict(rows), dtype=float).reshape(-1, 1)
        return np.maximum(numbers, lowest)
    probabilities = np.zeros((rows.shape[0], len(names)))
    columns = [names.index(str(name)) for name in estimator.classes_]
    probabilities[:, columns] = estimator.predict_proba(rows)
    # Models from before there were factors have the factor 1: their answers stay as they were.
    return probabilities if factor == 1 else sharpen(probabilities, factor)


def sharpen(probabilities: Array, factor: float) -> Array:
    """Return probabilities whose logarithms were multiplied by a factor: rows by classes."""
    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, 1.0))
    sharpened: Array = softmax(factor * logs, axis=1)
    return sharpened


# Our own estimators, which a stored teacher may have.
OWN_TYPES = (Column, Numbers, Missing, WordWeights, FrequentWords, TextCounts, TextTeacher)
