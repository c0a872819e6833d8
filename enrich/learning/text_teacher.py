"""The teacher of texts: a maximum-margin classifier, helped by the nearest labelled rows."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from .column import Table
from .portable.design import one_hot
from .portable.features import count_texts
from .portable.text_block import feature_scales, kept_features

Array: TypeAlias = npt.NDArray[Any]
Estimator: TypeAlias = Any

# These constants were chosen by five-fold cross-validation on real utterances.
# The weight of an embedding relative to the words of its text: it says less, and more than nothing.
VECTOR_WEIGHT = 0.5
WORDS_WEIGHT = 1.4
# By which power of how rare it is the weight of a rare label is raised.
BALANCE = 0.35
# Each row has so many neighbours; the vote of one falls with its distance, at this rate.
NEIGHBOURS = 20
SHARPNESS = 20.0
# How much the words say about how near two rows are, relative to their embeddings.
WORDS_SHARE = 0.5
VOTE_WEIGHT = 0.2
# Added to each share of votes, so that a label without any is not impossible.
LEAST_SHARE = 0.02
# Of more rows a fair sample: the time that neighbours take grows with the square of their number.
MOST_NEAR_ROWS = 20_000
ROWS_AT_ONCE = 500
SEED = 0


class TextCounts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Counts the features of texts that students count, scaled, as rows of length 1."""

    def fit(self, X: Array, y: object = None) -> TextCounts:  # noqa: N803
        """Learn the features and their scales."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Array, y: object = None) -> Any:  # noqa: ANN401, ARG002, N803
        """Learn the features and their scales, and return the texts by features."""
        names, counts = count_texts(X.tolist())
        frequencies = np.bincount(counts.indices, minlength=len(names))
        kept = kept_features(frequencies, len(names))
        self.names_ = names[kept].tolist()
        self.scales_ = feature_scales(names[kept], frequencies[kept], float(len(X)))
        return self._scale(counts[:, kept])

    def transform(self, X: Array) -> Any:  # noqa: ANN401, N803
        """Return the texts by the features that were learnt."""
        names, counts = count_texts(X.tolist())
        learnt = {name: column for column, name in enumerate(self.names_)}
        columns = np.array([learnt.get(name, -1) for name in names.tolist()])
        select = one_hot(columns, len(self.names_))
        return self._scale(counts @ select)

    def _scale(self, counts: Any) -> Any:  # noqa: ANN401
        return WORDS_WEIGHT * normalize(
            sparse.csr_matrix(counts @ sparse.diags_array(self.scales_))
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "names_")


class TextTeacher(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Adds the votes of the nearest labelled rows to the margins of a linear classifier.

    `words` makes a sparse matrix of the texts in a table, `vectors` a dense one of its embeddings,
    and `others` a matrix of all other columns, by which no row is near; each but `words` may be
    None.
    """

    def __init__(
        self, words: Estimator, vectors: Estimator | None, others: Estimator | None
    ) -> None:
        self.words = words
        self.vectors = vectors
        self.others = others

    def fit(self, X: Table, y: Array) -> TextTeacher:  # noqa: N803
        """Fit the classifier, and keep the rows for later neighbours."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        words = sparse.csr_matrix(self.words.fit_transform(X))
        vectors = self._vectors(X, is_fitted=False)
        weights = (len(y) / (len(self.classes_) * np.bincount(labels))) ** BALANCE
        margin = LinearSVC(C=1.0, random_state=SEED)
        joined = _join(words, vectors, self.others and self.others.fit_transform(X))
        self.margin_ = margin.fit(joined, labels, sample_weight=weights[labels])
        kept = np.random.default_rng(SEED).permutation(len(labels))[:MOST_NEAR_ROWS]
        self.labels_ = labels[kept]
        near = normalize(words[kept])
        # As arrays, since a stored teacher has no other types than those of scikit-learn.
        self.near_words_ = near.data, near.indices, near.indptr
        self.near_vectors_ = vectors[kept]
        return self

    def predict_proba(self, X: Table) -> Array:  # noqa: N803
        """Return the probability of each label, uncalibrated: rows by classes."""
        words, vectors = sparse.csr_matrix(self.words.transform(X)), self._vectors(X)
        joined = _join(words, vectors, self.others and self.others.transform(X))
        margins = self.margin_.decision_function(joined).reshape(len(X), -1)
        if margins.shape[1] == 1:
            margins = np.hstack([np.zeros_like(margins), margins])
        if len(self.labels_):
            words = normalize(words)
            for start in range(0, len(X), ROWS_AT_ONCE):
                some = slice(start, start + ROWS_AT_ONCE)
                votes = self._votes(words[some], vectors[some])
                margins[some] += VOTE_WEIGHT * np.log(votes + LEAST_SHARE)
        probabilities: Array = softmax(margins, axis=1)
        return probabilities

    def predict(self, X: Table) -> Array:  # noqa: N803
        """Return the most likely label of each row."""
        named: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return named

    def _vectors(self, table: Table, *, is_fitted: bool = True) -> Array:
        """Return the embeddings as rows of length 1; rows without columns where there are none."""
        if self.vectors is None:
            return np.zeros((len(table), 0), dtype=np.float32)
        make = self.vectors.transform if is_fitted else self.vectors.fit_transform
        normed: Array = normalize(np.asarray(make(table), dtype=np.float32))
        return normed

    def _votes(self, words: Any, vectors: Array) -> Array:  # noqa: ANN401
        """Return the share of the votes of its neighbours that each label has: rows by classes."""
        shape = (len(self.labels_), words.shape[1])
        near = WORDS_SHARE * (words @ sparse.csr_matrix(self.near_words_, shape=shape).T).toarray()
        near = (near + vectors @ self.near_vectors_.T) / (WORDS_SHARE + bool(vectors.shape[1]))
        count = min(NEIGHBOURS, near.shape[1])
        nearest = np.argpartition(-near, count - 1, axis=1)[:, :count]
        weights = np.exp(SHARPNESS * (np.take_along_axis(near, nearest, axis=1) - 1))
        votes = np.zeros((len(near), len(self.classes_)))
        rows = np.repeat(np.arange(len(near)), count)
        np.add.at(votes, (rows, self.labels_[nearest].ravel()), weights.ravel())
        shares: Array = votes / votes.sum(axis=1, keepdims=True)
        return shares


def _join(words: Any, vectors: Array, others: Any) -> Any:  # noqa: ANN401
    blocks = [words, sparse.csr_matrix(VECTOR_WEIGHT * vectors)]
    if others is not None:
        blocks.append(sparse.csr_matrix(others))
    return sparse.hstack(blocks, format="csr")
