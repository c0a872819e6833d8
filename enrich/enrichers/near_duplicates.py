"""Records that say nearly the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from db.errors import EnricherError

from .base import Row

WORD = re.compile(r"\w+")

# Of 1,628 French sentences altered by one letter (datasets/intents.csv), 91 % keep a similarity
# of 0.8 by pieces of three, 69 % by pieces of five and by words; no unrelated pair reaches it.
PIECE = 3
# A record near to so many others is not looked up for later ones: each of a hundred thousand
# fillings of one template would be compared with all. What is near only to such a one is missed.
CROWD = 20
FEWEST_PERMUTATIONS = 16
MOST_PERMUTATIONS = 512


class NearDuplicates:
    """Which records say nearly the same: share nearly all pieces of their words.

    The similarity is Jaccard's, estimated by MinHash (Broder 1997) with a standard error of
    sqrt(similarity * (1 - similarity) / permutations). Records of a group need not all be alike:
    a chain of near duplicates is one group. By default 4 KiB of memory a record, however long.
    """

    version = "1"
    of_set = "records"
    listing_column = "duplicates"
    text_only = True

    def __init__(self, threshold: float = 0.8, permutations: int = 64) -> None:
        if not _is_number(threshold, float | int) or not 0 < threshold <= 1:
            raise EnricherError(
                f"config.threshold: must be above 0 and at most 1, like 0.8, and is {threshold!r}"
            )
        if (
            not _is_number(permutations, int)
            or not FEWEST_PERMUTATIONS <= permutations <= MOST_PERMUTATIONS
        ):
            raise EnricherError(
                f"config.permutations: must be a whole number from {FEWEST_PERMUTATIONS} to "
                f"{MOST_PERMUTATIONS}, like 64, and is {permutations!r}"
            )
        self._threshold = threshold
        self._permutations = permutations

    def survey(self, rows: Iterable[tuple[str, Row]]) -> dict[str, Any]:
        """Return group, size and highest similarity of each record that has a near duplicate."""
        empty, index, lean = self._start()
        keys, signatures = _signatures(rows, empty)
        groups = Groups()
        for at, key in enumerate(keys):
            sketch = lean(seed=empty.seed, hashvalues=signatures[at], scheme=empty.scheme)
            near = index.query(sketch)
            shares = (signatures[near] == signatures[at]).mean(axis=1).tolist()
            alike = [pair for pair in zip(near, shares, strict=True) if pair[1] >= self._threshold]
            for other, similarity in alike:
                groups.join(key, keys[other], similarity)
            if len(alike) < CROWD:
                index.insert(at, sketch)
        return groups.findings()

    def _start(self) -> tuple[Any, Any, Any]:
        """Return an empty sketch, an empty index, and the type of sketches that it takes."""
        try:
            from datasketch import LeanMinHash, MinHash, MinHashLSH  # noqa: PLC0415  optional
        except ModuleNotFoundError as error:
            raise EnricherError(
                "near_duplicates needs datasketch: pip install -r requirements-extra.txt"
            ) from error
        index = MinHashLSH(
            # Above this the index has no room for the two bands it needs.
            threshold=min(self._threshold, 0.95),
            num_perm=self._permutations,
            # What it finds is checked, what it misses is lost.
            weights=(0.1, 0.9),
        )
        return MinHash(num_perm=self._permutations, seed=1), index, LeanMinHash


def _signatures(rows: Iterable[tuple[str, Row]], empty: Any) -> tuple[list[str], Any]:  # noqa: ANN401
    """Return the keys of rows that say anything, sorted, and an array of a signature for each."""
    import numpy as np  # noqa: PLC0415  a worker reads the version above without NumPy

    keys: list[str] = []
    made = bytearray()
    for key, row in rows:
        if found := pieces(row):
            sketch = empty.copy()
            sketch.update_batch([piece.encode() for piece in found])
            keys.append(key)
            made += sketch.hashvalues.tobytes()
    signatures = np.frombuffer(made, empty.hashvalues.dtype).reshape(-1, len(empty))
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [keys[at] for at in order], signatures[order]


class Groups:
    """Keys joined in pairs, and how alike each is to the one most alike (union-find)."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._highest: dict[str, float] = {}

    def join(self, one: str, other: str, similarity: float) -> None:
        """Put two keys, and all that is joined with them, into one group."""
        for key in (one, other):
            self._highest[key] = max(similarity, self._highest.get(key, 0.0))
        # The smallest key leads, so that the order of joining does not matter.
        lower, higher = sorted((self._leader(one), self._leader(other)))
        self._above[higher] = lower

    def findings(self) -> dict[str, Any]:
        """Return what is known of each key, by key."""
        leaders = {key: self._leader(key) for key in sorted(self._highest)}
        sizes = Counter(leaders.values())
        return {
            key: {
                "group": leader,
                "size": sizes[leader],
                "similarity": round(self._highest[key], 2),
            }
            for key, leader in leaders.items()
        }

    def _leader(self, key: str) -> str:
        """Return the smallest key of the group, and shorten the way there."""
        while (above := self._above.setdefault(key, key)) != key:
            self._above[key] = self._above[above]
            key = above
        return key


def pieces(row: Row) -> set[str]:
    """Return what a row is compared by: pieces of the words of texts, other values whole."""
    found: set[str] = set()
    for name, value in row.items():
        if isinstance(value, str):
            found |= text_pieces(value)
        elif value is not None:
            found.add(f"{name}={value}")
    return found


def text_pieces(text: str) -> set[str]:
    """Return each word's runs of PIECE characters, its ends counting as a space each.

    Accents are kept, case is not; a text without a word is one piece.
    """
    lowered = text.lower()
    words = [f" {word} " for word in WORD.findall(lowered)]
    found = {word[at : at + PIECE] for word in words for at in range(len(word) - PIECE + 1)}
    return found or set(lowered.split())


def _is_number(value: object, kind: Any) -> bool:  # noqa: ANN401
    """Return whether a configured value is such a number; Python counts True as one."""
    return isinstance(value, kind) and not isinstance(value, bool)
