"""The weights of a text's features besides those of its words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from db.scoring.features import NUMBERS_OF_WORDS, find_signs

from .feature_tables import FeatureTables


class ContextWeights:
    """The lanes of pairs of words, of the first and the last words, of signs and of the length.

    They are those of the features of `context_features`.
    """

    def __init__(self, tables: FeatureTables) -> None:
        self._tables = tables
        self._lengths = [
            tables.others.get(f"|{length}", 0) for length in range(len(NUMBERS_OF_WORDS) + 1)
        ]

    def add_up(self, text: str, words: Sequence[str]) -> int:
        """Return the sum of the lanes of all features of a text that has these words."""
        tables = self._tables
        total = self._lengths[bisect_left(NUMBERS_OF_WORDS, len(words))]
        if words:
            total += tables.first.get(words[0], 0) + tables.last.get(words[-1], 0)
            total += tables.first_pair.get(tuple(words[:2]), 0)
            pairs, apart = tables.pairs, tables.pairs_apart
            # Both keep the pairs that are known, each once, without a loop in Python.
            known = pairs.keys() & pairwise(words)
            known_apart = apart.keys() & zip(words, words[2:], strict=False)
            total += sum(map(pairs.__getitem__, known)) + sum(map(apart.__getitem__, known_apart))
        return total + sum([tables.others.get(sign, 0) for sign in find_signs(text)])

    def each(self, text: str, words: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield what `add_up` adds up, with the words that each stands for, "" for none."""
        tables = self._tables
        length = f"|{bisect_left(NUMBERS_OF_WORDS, len(words))}"
        yield from (("", tables.others[one]) for one in find_signs(text) if one in tables.others)
        if length in tables.others:
            yield "", tables.others[length]
        for table, ends in ((tables.first, words[:1]), (tables.last, words[-1:])):
            yield from ((word, table[word]) for word in ends if word in table)
        for of_pairs, mark, pairs in (
            (tables.first_pair, " ", [tuple(words[:2])]),
            (tables.pairs, " ", [*pairwise(words)]),
            (tables.pairs_apart, " … ", [*zip(words, words[2:], strict=False)]),
        ):
            yield from ((mark.join(pair), of_pairs[pair]) for pair in of_pairs.keys() & pairs)
