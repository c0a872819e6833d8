"""The scores of a text: the weights of its features, divided by a norm of the text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from db.scoring.features import context_features, grams_of_word, split_words
from db.scoring.student_parts import MISSING, NormedTextPart
from db.spec.field import Value

from .lanes import pack_lanes, unpack_lanes

# Requests repeat few words; cutting words into n-grams took half of the time of an answer.
CACHED_WORDS = 1024
LONGEST_CACHED = 50


class TextScorer:
    """Adds the weights of a text's features as lanes of integers, one for each class.

    A further lane adds up the square of the norm.
    """

    def __init__(self, part: NormedTextPart, width: int, shift: int) -> None:
        self._width = width
        self._unit = 2.0**-shift
        self._power = part.power / 2
        lanes = dict(zip(part.names, pack_lanes(part.weights, width + 1), strict=True))
        self._lanes = lanes

        def lanes_of_word(word: str) -> int:
            return sum(lanes.get(feature, 0) for feature in grams_of_word(word))

        self._lanes_of_word = lanes_of_word
        self._cached_lanes_of_word = lru_cache(CACHED_WORDS)(lanes_of_word)

    def scores(self, text: Value) -> list[float]:
        """Return what a text adds to the score of each class."""
        if text is None:
            return self._divide(self._lanes.get(MISSING, 0))
        words = split_words(str(text))
        lanes = self._lanes
        total = sum(map(self._of_word, dict.fromkeys(words)))
        for feature in context_features(str(text), words):
            if feature in lanes:
                total += lanes[feature]
        return self._divide(total)

    def _of_word(self, word: str) -> int:
        """Return the lanes of a word and its n-grams; a long word hardly repeats."""
        is_short = len(word) <= LONGEST_CACHED
        return self._cached_lanes_of_word(word) if is_short else self._lanes_of_word(word)

    def _divide(self, total: int) -> list[float]:
        *sums, square = unpack_lanes(total, self._width + 1)
        unit = self._unit / self._divisor(square)
        return [one * unit for one in sums]

    def _divisor(self, square: int) -> float:
        # A text without any known feature has no norm.
        return float((square * self._unit) ** self._power) if square > 0 else 1.0

    def scores_of_words(self, text: Value) -> Mapping[str | None, list[float]]:
        """Return what each word or pair of words adds to the scores; None is for all else."""
        if text is None:
            return {None: self.scores(None)}
        words = split_words(str(text))
        lanes: dict[str | None, int] = {}
        for word in dict.fromkeys(words):
            lanes[word] = self._of_word(word)
        for feature in context_features(str(text), words):
            if feature in self._lanes:
                shown = _shown(feature)
                lanes[shown] = lanes.get(shown, 0) + self._lanes[feature]
        *_, square = unpack_lanes(sum(lanes.values()), self._width + 1)
        unit = self._unit / self._divisor(square)
        return {
            word: [one * unit for one in unpack_lanes(total, self._width + 1)][:-1]
            for word, total in lanes.items()
        }


def _shown(feature: str) -> str | None:
    """Return the word or words that a feature stands for, None if it stands for none."""
    shown = feature.lstrip("^").rstrip("$").replace(" * ", " … ")
    return shown if shown[:1].isalnum() else None
