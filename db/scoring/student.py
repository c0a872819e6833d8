"""The student: a portable model that needs only the standard library for scoring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from db.errors import ArtifactError
from db.spec.dates.date_value import TIME_WORDS
from db.spec.field import Inputs, Value

from .explanation import MOST_REASONS, Explanation, merge_reasons, pick
from .features import with_date_parts
from .linear.linear_scorer import Contribution, LinearScorer
from .student_data import StudentData
from .student_parts import flat_parts
from .trees.trees_scorer import TEXTS, TreesScorer
from .unseen_values import SeenValues

Scores: TypeAlias = list[float]

# Answers round probabilities to so many digits; labels of equal ones are in order of their names.
PROBABILITY_DIGITS = 6


class Student:
    """Scores inputs for which the teacher's prediction is not stored, by linear model and trees."""

    def __init__(self, data: StudentData) -> None:
        self.labels = data.labels
        self.is_teacher = data.is_teacher
        self.interval = data.interval
        self.teacher_interval = data.teacher_interval or data.interval
        self.teacher_factor = data.teacher_factor
        # The smallest number that teacher and student may answer.
        self.lowest = -math.inf if data.lowest is None else data.lowest
        self._target = data.target_mean, data.target_scale
        self._dates = _find_dates(data)
        self._width = len(data.bias)
        self._linear = LinearScorer(data)
        self._texts = LinearScorer(data.trees.texts) if data.trees and data.trees.texts else None
        self._columns = data.trees.columns if data.trees else []
        score_texts = self._texts.scores if self._texts else None
        self._trees = TreesScorer(data.trees, score_texts) if data.trees else None
        self._seen = SeenValues(data)

    def probabilities(self, inputs: Inputs) -> list[float]:
        """Return the probability of each label."""
        return softmax(self._scores(with_date_parts(inputs, self._dates)))

    def number(self, inputs: Inputs) -> float:
        """Return the predicted number."""
        return self._to_number(self._scores(with_date_parts(inputs, self._dates)))

    def outputs(self, inputs: Inputs) -> list[float]:
        """Return the probability of each label, or the predicted number alone."""
        return self._to_outputs(self._scores(with_date_parts(inputs, self._dates)))

    def outputs_and_warnings(self, inputs: Inputs) -> tuple[list[float], list[str]]:
        """Return what `outputs` and `warnings` return, with the parts of dates made once."""
        values = with_date_parts(inputs, self._dates)
        return self._to_outputs(self._scores(values)), self._seen.warnings(inputs, values)

    def outputs_of_rows(self, rows: Sequence[Inputs]) -> list[list[float]]:
        """Return what `outputs` does for each of many inputs, in less time."""
        values = [with_date_parts(row, self._dates) for row in rows]
        scores = self._linear.scores_of_rows(values)
        if self._trees:
            for of_row, of_trees in zip(scores, self._trees.scores_of_rows(values), strict=True):
                self._add_to(of_row, of_trees)
        return list(map(self._to_outputs, scores))

    def check(self, example: Inputs) -> None:
        """Raise ArtifactError unless the model can answer such inputs.

        It may read other fields than the dataset has, or read them as another kind.
        """
        try:
            self.outputs(example)
            self.explain(example)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            words = f"the student does not fit its dataset's fields ({type(error).__name__})"
            raise ArtifactError(f"{words}; train again: python -m enrich train") from None

    def warnings(self, inputs: Mapping[str, Value]) -> list[str]:
        """Return a warning for each value unlike those of training."""
        return self._seen.warnings(inputs, with_date_parts(inputs, self._dates))

    def explain(self, inputs: Inputs, most: int = MOST_REASONS) -> Explanation:
        """Return the strongest reasons for the answer; they add up to it with those left out."""
        values = with_date_parts(inputs, self._dates)
        base, contributions = self._linear.contributions(values)
        if self._trees:
            tree_base, amounts = self._trees.reasons(values)
            self._add_to(base, tree_base)
            contributions += self._of_trees(amounts, values)
        scores = self._scores(values)
        order = self._two_likeliest(scores)
        mean, scale = (0.0, 1.0) if self.labels else self._target
        total = mean + scale * pick(scores, order)
        reasons = merge_reasons(contributions, order, inputs, scale)
        return Explanation(
            prediction=self.labels[order[0]] if self.labels else max(total, self.lowest),
            over=self.labels[order[1]] if len(order) > 1 else None,
            base=mean + scale * pick(base, order),
            reasons=reasons[:most],
            rest=sum(reason.amount for reason in reasons[most:]),
            total=total,
        )

    def _two_likeliest(self, scores: Scores) -> list[int]:
        """Return the position of the label that is answered, and of the likeliest other one."""
        if not self.labels:
            return [0]
        shares = [round(share, PROBABILITY_DIGITS) for share in softmax(scores)]
        places = range(len(scores))
        answered = min(places, key=lambda at: (-shares[at], self.labels[at]))
        others = sorted((at for at in places if at != answered), key=lambda at: -scores[at])
        return [answered, *others[:1]]

    def _scores(self, values: Mapping[str, Value]) -> Scores:
        scores = self._linear.scores(values)
        if self._trees:
            self._add_to(scores, self._trees.scores(values))
        return scores

    def _to_outputs(self, scores: Scores) -> list[float]:
        return softmax(scores) if self.labels else [self._to_number(scores)]

    def _to_number(self, scores: Scores) -> float:
        mean, scale = self._target
        return max(mean + scale * scores[0], self.lowest)

    def _add_to(self, scores: Scores, of_trees: Sequence[float]) -> None:
        for column, amount in zip(self._columns, of_trees, strict=True):
            scores[column] += amount

    def _of_trees(
        self, amounts: Mapping[str, Scores], values: Mapping[str, Value]
    ) -> Iterator[Contribution]:
        """Yield what trees add for each input; what they read of texts is shared out."""
        for name, of_columns in amounts.items():
            wide = [0.0] * self._width
            self._add_to(wide, of_columns)
            shares = self._text_shares(values) if name == TEXTS else {name: 1.0}
            for field, share in shares.items():
                yield Contribution(field, None, [share * amount for amount in wide])

    def _text_shares(self, values: Mapping[str, Value]) -> dict[str, float]:
        """Return the share of each text field in all that the scores of texts are made of."""
        sizes: dict[str, float] = {}
        contributions = self._texts.contributions(values)[1] if self._texts else []
        for name, _, amounts in contributions:
            # Never nothing at all, so that there is something to divide by.
            sizes[name] = sizes.get(name, 1e-9) + sum(map(abs, amounts))
        total = sum(sizes.values())
        return {name: size / total for name, size in sizes.items()}


def _find_dates(data: StudentData) -> dict[str, bool]:
    """Return the date fields, and of each whether it has a time of day."""
    names = [name for name, _ in flat_parts(data.parts)]
    if data.pairs:
        names += [one.name for one in data.pairs.inputs]
    if data.trees:
        names += [one.name for one in (*data.trees.inputs, *data.trees.unread)]
    dates: dict[str, bool] = {}
    for name in names:
        field, point, part = name.partition(".")
        if point:
            dates[field] = dates.get(field, False) or part in TIME_WORDS
    return dates


def softmax(scores: Scores) -> list[float]:
    """Return probabilities that sum to 1."""
    top = max(scores)
    powers = list(map(math.exp, [score - top for score in scores]))
    total = sum(powers)
    return [power / total for power in powers]
