"""The features that a student sees, made alike where it is trained and where it answers."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

# Chosen by five-fold cross-validation on real utterances: longer n-grams weigh more and win less.
GRAM_LENGTHS = (3, 4)
BINS = 10

_WORD = re.compile(r"\w+")
# The accents of most scripts that have any; one in between is none.
_ACCENTS = re.compile("[\u0300-\u034e\u0350-\u036f]+")
# In what people ask few words come again and again: cutting them up took a third of an answer.
CACHED_WORDS = 1024


def text_features(text: str) -> set[str]:
    """Return the words, pairs of words and in-word character n-grams of a text.

    Case and accents are dropped: people leave both out. "<" and ">" mark a word's ends.
    """
    words = _WORD.findall(fold_text(text))
    features = set(words)
    features.update(map(" ".join, itertools.pairwise(words)))
    for word in set(words):
        features.update(_grams(word))
    return features


def fold_text(text: str) -> str:
    """Return the text in lower case without accents."""
    text = text.lower()
    if text.isascii():
        return text
    parts = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    if parts.isascii():
        return parts
    return "".join(part for part in parts if not unicodedata.combining(part))


@functools.lru_cache(CACHED_WORDS)
def _grams(word: str) -> tuple[str, ...]:
    framed = f"<{word}>"
    return tuple(
        framed[start : start + length]
        for length in GRAM_LENGTHS
        for start in range(len(framed) - length + 1)
    )


def bin_of(number: float, edges: Sequence[float]) -> int:
    """Return which of the bins between the edges a number falls in, from 0 to len(edges)."""
    return bisect_right(edges, number)
