"""Near duplicates: records with nearly the same text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from db.errors import EnricherError

from .base import Row

WORD = re.compile(r"\w+")

# Of 1,628 French sentences altered by one letter (datasets/intents.csv), 91 % keep a similarity of
# 0.8 with n-grams of three characters, 69 % with five and with words. No unrelated pair reaches it.
NGRAM_SIZE = 3
# A record with this many near duplicates is not added to the index: otherwise each of a hundred
# thousand texts from one template would be compared with all others. A later record that is near to
# such records only is missed.
MOST_COMPARED = 20
FEWEST_PERMUTATIONS = 16
MOST_PERMUTATIONS = 512


class NearDuplicates:
    """Finds groups of records that share nearly all character n-grams of their words.

    The similarity is Jaccard's, estimated by MinHash (Broder 1997) with a standard error of
    sqrt(similarity * (1 - similarity) / permutations). A chain of near duplicates is one group, so
    two of its records may differ more than the threshold. By default a record takes 4 KiB of
    memory, whatever its length.
    """

    version = "1"
    kind = "records"
    listing_column = "duplicates"
    text_only = True

    def __init__(self, threshold: float = 0.8, permutations: int = 64) -> None:
        if not _is_number(threshold, float | int) or not 0 < threshold <= 1:
            raise EnricherError(
                f"config.threshold: must be above 0 and at most 1, like 0.8, not {threshold!r}"
            )
        if (
            not _is_number(permutations, int)
            or not FEWEST_PERMUTATIONS <= permutations <= MOST_PERMUTATIONS
        ):
            raise EnricherError(
                f"config.permutations: must be a whole number from {FEWEST_PERMUTATIONS} to "
                f"{MOST_PERMUTATIONS}, like 64, not {permutations!r}"
            )
        self._threshold = threshold
        self._permutations = permutations

    def analyse(self, rows: Iterable[tuple[str, Row]]) -> dict[str, Any]:
        """Return by key the group, its size and the highest similarity, if there is a group."""
        empty, index, sketch_type = self._start()
        keys, signatures = _signatures(rows, empty)
        groups = Groups()
        for at, key in enumerate(keys):
            sketch = sketch_type(seed=empty.seed, hashvalues=signatures[at], scheme=empty.scheme)
            near = index.query(sketch)
            shares = (signatures[near] == signatures[at]).mean(axis=1).tolist()
            duplicates = [
                (other, similarity)
                for other, similarity in zip(near, shares, strict=True)
                if similarity >= self._threshold
            ]
            for other, similarity in duplicates:
                groups.join(key, keys[other], similarity)
            if len(duplicates) < MOST_COMPARED:
                index.insert(at, sketch)
        return groups.findings()

    def _start(self) -> tuple[Any, Any, Any]:
        """Return an empty sketch, an empty index, and the type of sketches that the index takes."""
        try:
            from datasketch import LeanMinHash, MinHash, MinHashLSH  # noqa: PLC0415  optional
        except ModuleNotFoundError as error:
            raise EnricherError(
                "near_duplicates needs datasketch: pip install -r requirements-extra.txt"
            ) from error
        index = MinHashLSH(
            # The index needs two bands, for which a higher threshold leaves no room.
            threshold=min(self._threshold, 0.95),
            num_perm=self._permutations,
            # False negatives weigh more: a candidate is checked, a missed pair is lost.
            weights=(0.1, 0.9),
        )
        return MinHash(num_perm=self._permutations, seed=1), index, LeanMinHash


def _signatures(rows: Iterable[tuple[str, Row]], empty: Any) -> tuple[list[str], Any]:  # noqa: ANN401
    """Return the keys of rows that have an n-gram, sorted, and an array with their signatures."""
    import numpy as np  # noqa: PLC0415  a worker reads the version above without NumPy

    keys: list[str] = []
    data = bytearray()
    for key, row in rows:
        if features := row_features(row):
            sketch = empty.copy()
            sketch.update_batch([feature.encode() for feature in features])
            keys.append(key)
            data += sketch.hashvalues.tobytes()
    signatures = np.frombuffer(data, empty.hashvalues.dtype).reshape(-1, len(empty))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [keys[at] for at in order], signatures[order]


class Groups:
    """Groups of keys that were joined in pairs, and the highest similarity of each key.

    A union-find structure, whose root is the smallest key of a group.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._highest: dict[str, float] = {}

    def join(self, key: str, other: str, similarity: float) -> None:
        """Merge the groups of two keys."""
        for joined in (key, other):
            self._highest[joined] = max(similarity, self._highest.get(joined, 0.0))
        # The smallest key is the root, so that the order of joining does not matter.
        lower, higher = sorted((self._root(key), self._root(other)))
        self._parents[higher] = lower

    def findings(self) -> dict[str, Any]:
        """Return the group, its size and the highest similarity of each key, by key."""
        roots = {key: self._root(key) for key in sorted(self._highest)}
        sizes = Counter(roots.values())
        return {
            key: {
                "group": root,
                "size": sizes[root],
                "similarity": round(self._highest[key], 2),
            }
            for key, root in roots.items()
        }

    def _root(self, key: str) -> str:
        """Return the smallest key of the group; shorten the path to it."""
        while (parent := self._parents.setdefault(key, key)) != key:
            self._parents[key] = self._parents[parent]
            key = parent
        return key


def row_features(row: Row) -> set[str]:
    """Return the features by which rows are compared: n-grams of texts, other values whole."""
    features: set[str] = set()
    for name, value in row.items():
        if isinstance(value, str):
            features |= text_ngrams(value)
        elif value is not None:
            features.add(f"{name}={value}")
    return features


def text_ngrams(text: str) -> set[str]:
    """Return the character n-grams of each word, with a space added at both of its ends.

    Accents are kept, case is not. A text without a word has its signs as its only features.
    """
    lowered = text.lower()
    words = [f" {word} " for word in WORD.findall(lowered)]
    ngrams = {
        word[at : at + NGRAM_SIZE] for word in words for at in range(len(word) - NGRAM_SIZE + 1)
    }
    return ngrams or set(lowered.split())


def _is_number(value: object, kind: Any) -> bool:  # noqa: ANN401
    """Return True for a number of that type, but not for a boolean, which Python counts as one."""
    return isinstance(value, kind) and not isinstance(value, bool)
