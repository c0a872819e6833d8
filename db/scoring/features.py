"""The features of the student, computed by the same code in training and in answering."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from db.spec.dates.date_value import date_parts, part_name
from db.spec.field import Value

from .student_parts import MISSING

# Chosen by five-fold cross-validation on real utterances: longer n-grams take more space and
# improve accuracy less.
GRAM_LENGTHS = (3, 4)
LENGTHS_OF_GRAMS = (2, 4)
# Texts with up to so many words are told apart.
NUMBERS_OF_WORDS = (1, 2, 3, 4, 7, 12, 20)
BINS = 10

_MINUTES_OF_DAY = 1440
_MARKS = frozenset("?!.,;:€$%@…")
_SIGN = re.compile(r"[?!.,;:€$%@…\d]")
_WORD = re.compile(r"\w+")
# The combining accents of most scripts; U+034F, in between, is not an accent.
_ACCENTS = re.compile("[\u0300-\u034e\u0350-\u036f]+")


def text_features(text: str) -> set[str]:
    """Return the words, pairs of words and in-word character n-grams of a text."""
    words = split_words(text)
    features = set(pairs_of(words))
    features.update(*map(features_of_word, words))
    return features


def count_features(text: str) -> Counter[str]:
    """Return how often each feature occurs in a text.

    Words and their n-grams count once for each distinct word that has them, others once.
    """
    words = split_words(text)
    counts = Counter(context_features(text, words))
    for word in dict.fromkeys(words):
        counts.update(grams_of_word(word))
    return counts


def grams_of_word(word: str) -> list[str]:
    """Return a word and its character n-grams, which start with "="; those that repeat repeat."""
    framed = f"<{word}>"
    grams = [
        f"={framed[start : start + length]}"
        for length in LENGTHS_OF_GRAMS
        for start in range(len(framed) - length + 1)
    ]
    return [word, *grams]


def context_features(text: str, words: Sequence[str]) -> set[str]:
    """Return the features of a text besides those of its words.

    They are pairs of words, next to each other or with one in between, the first and the last word,
    the first pair, punctuation marks, whether there is a digit, and how many words there are.
    """
    features = set(pairs_of(words))
    features.update(f"{one} * {other}" for one, other in zip(words, words[2:], strict=False))
    if words:
        features |= {f"^{words[0]}", f"{words[-1]}$", f"^^{' '.join(words[:2])}"}
    features |= find_signs(text)
    features.add(f"|{bisect_left(NUMBERS_OF_WORDS, len(words))}")
    return features


def find_signs(text: str) -> set[str]:
    """Return the punctuation marks of a text, and "#" if it has a digit."""
    signs = set(_SIGN.findall(text))
    return {sign if sign in _MARKS else "#" for sign in signs} if signs else signs


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case without accents, since people often omit both."""
    return _WORD.findall(fold_text(text))


def pairs_of(words: Sequence[str]) -> Iterator[str]:
    """Yield each pair of consecutive words."""
    return map(" ".join, itertools.pairwise(words))


def features_of_word(word: str) -> list[str]:
    """Return a word and its character n-grams; "<" and ">" mark its ends."""
    framed = f"<{word}>"
    grams = [
        framed[start : start + length]
        for length in GRAM_LENGTHS
        for start in range(len(framed) - length + 1)
    ]
    return [word, *grams]


def word_feature(value: Value) -> str:
    """Return the single feature of a choice or boolean field's value."""
    return MISSING if value is None else str(value)


def fold_text(text: str) -> str:
    """Return the text in lower case without accents."""
    text = text.lower()
    if text.isascii():
        return text
    try:
        # A third of the time of what follows, for texts of Western Europe.
        return text.encode("latin-1").translate(_LATIN_WITHOUT_ACCENTS).decode("latin-1")
    except UnicodeEncodeError:
        return _without_accents(text)


def _without_accents(text: str) -> str:
    parts = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    if parts.isascii():
        return parts
    return "".join(part for part in parts if not unicodedata.combining(part))


_LATIN_WITHOUT_ACCENTS = "".join(map(_without_accents, map(chr, range(256)))).encode("latin-1")


def bin_of(number: float, edges: Sequence[float]) -> int:
    """Return the index of the bin that a number falls in, from 0 to len(edges)."""
    return bisect_right(edges, number)


def date_of_days(days: float) -> str:
    """Return the date, with its time of day if it is not midnight, of days since 1970."""
    moment = datetime(1970, 1, 1) + timedelta(minutes=round(days * _MINUTES_OF_DAY))  # noqa: DTZ001
    is_midnight = (moment.hour, moment.minute) == (0, 0)
    return moment.date().isoformat() if is_midnight else moment.isoformat(timespec="minutes")


def with_date_parts(inputs: Mapping[str, Value], dates: Mapping[str, bool]) -> Mapping[str, Value]:
    """Return the inputs and the parts of each date, under names like day.month.

    `dates` says of each date field whether it has a time of day.
    """
    if not dates:
        return inputs
    values = dict(inputs)
    for name, has_time in dates.items():
        parts = date_parts(inputs[name], has_time=has_time)  # type: ignore[arg-type]
        for part, value in parts.items():
            values[part_name(name, part)] = value
    return values
