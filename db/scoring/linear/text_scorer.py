"""The scores of a text: the weights of its features, divided by a norm of the text."""

from __future__ import annotations

from collections.abc import Mapping

from db.scoring.features import split_words
from db.scoring.student_parts import MISSING, NormedTextPart
from db.spec.field import Value

from .context_weights import ContextWeights
from .feature_tables import FeatureTables
from .lanes import pack_lanes, unpack_lanes
from .word_weights import WordWeights


class TextScorer:
    """Adds the weights of a text's features as lanes of integers, one for each class.

    A further lane adds up the square of the norm.
    """

    def __init__(self, part: NormedTextPart, width: int, shift: int) -> None:
        self._width = width
        self._unit = 2.0**-shift
        self._power = part.power / 2
        tables = FeatureTables(zip(part.names, pack_lanes(part.weights, width + 1), strict=True))
        self._missing = tables.others.get(MISSING, 0)
        self._context = ContextWeights(tables)
        self._words = WordWeights(tables.others, tables.grams)

    def scores(self, text: Value) -> list[float]:
        """Return what a text adds to the score of each class."""
        if text is None:
            return self._divide(self._missing)
        words = split_words(str(text))
        total = sum(map(self._words.__getitem__, set(words)))
        return self._divide(total + self._context.add_up(str(text), words))

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
        lanes: dict[str | None, int] = {word: self._words[word] for word in dict.fromkeys(words)}
        for pair, of_feature in self._context.each(str(text), words):
            shown = pair if pair[:1].isalnum() else None
            lanes[shown] = lanes.get(shown, 0) + of_feature
        *_, square = unpack_lanes(sum(lanes.values()), self._width + 1)
        unit = self._unit / self._divisor(square)
        return {
            word: [one * unit for one in unpack_lanes(total, self._width + 1)][:-1]
            for word, total in lanes.items()
        }
