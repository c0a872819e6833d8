"""Answer the inputs of rows, a batch at a time, as `GET /predict` answers them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from db.errors import InputError
from db.records.predictor import Predictor
from db.scoring.response_body import decode_answer, interval_around, round_number
from db.scoring.student import PROBABILITY_DIGITS
from db.spec.field import Inputs, Value
from db.traffic.requested_inputs import RequestedInput, pack_requested

from .row_answer import RowAnswer, row_answer, row_error

# Answers that are remembered, because many rows have the same inputs; those of a block are added.
_MOST_ANSWERS = 10_000

FindBodies: TypeAlias = Callable[[Collection[bytes]], Mapping[bytes, bytes]]


class RowPredictor:
    """Answers inputs by stored predictions, which `find_bodies` returns, and by the student.

    With `remembers`, `take_requested` returns the inputs that have no stored prediction.
    """

    def __init__(
        self, predictor: Predictor, find_bodies: FindBodies, *, remembers: bool = False
    ) -> None:
        self.spec = predictor.dataset.spec
        self._predictor = predictor
        self._student = predictor.student
        self._source = "teacher" if predictor.student.is_teacher else "student"
        self._find_bodies = find_bodies
        self._remembers = remembers and not predictor.is_final
        self._requested: dict[bytes, RequestedInput] = {}
        self._answers: dict[tuple[Value, ...], RowAnswer] = {}

    def answers(self, rows: Sequence[Inputs | InputError | str]) -> list[RowAnswer]:
        """Return the answers to rows, in their order; an error or a fault has no prediction."""
        bodies = {} if self._predictor.is_final else self._stored(rows)
        self._ask_student(
            row for at, row in enumerate(rows) if isinstance(row, dict) and at not in bodies
        )
        return [
            self._answer(bodies.get(at), row)
            if isinstance(row, dict)
            else row_error(self.spec, str(row))
            for at, row in enumerate(rows)
        ]

    def find_requested(self, rows: Sequence[Inputs | InputError | str]) -> None:
        """Find the inputs that have no stored prediction, without answering them."""
        if not self._predictor.is_final:
            self._stored(rows)

    def take_requested(self) -> list[RequestedInput]:
        """Return the unseen inputs since the last call, each of them once."""
        requested = list(self._requested.values())
        self._requested.clear()
        return requested

    def _stored(self, rows: Sequence[Inputs | InputError | str]) -> dict[int, bytes]:
        """Return the stored bodies of rows by their positions."""
        keys = {at: self.spec.key(row) for at, row in enumerate(rows) if isinstance(row, dict)}
        found = self._find_bodies(set(keys.values()))
        if self._remembers:
            self._requested.update(
                (key, pack_requested(key, inputs))
                for at, key in keys.items()
                if key not in found and isinstance(inputs := rows[at], dict)
            )
        return {at: found[key] for at, key in keys.items() if key in found}

    def _answer(self, body: bytes | None, inputs: Inputs) -> RowAnswer:
        if body is not None:
            return row_answer(decode_answer(body))
        return self._answers[tuple(inputs.values())]

    def _ask_student(self, rows: Iterable[Inputs]) -> None:
        """Find and remember the student's answers to those inputs that have none yet."""
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        each = ((tuple(inputs.values()), inputs) for inputs in rows)
        new = {values: inputs for values, inputs in each if values not in self._answers}
        outputs = self._student.outputs_of_rows(list(new.values()))
        self._answers.update(zip(new, map(self._student_answer, outputs), strict=True))

    def _student_answer(self, outputs: Sequence[float]) -> RowAnswer:
        """Return what `student_answer` says, without what a file has no column for.

        The order of all labels and the warnings take a fifth of the time of an answer.
        """
        student, model = self._student, self._predictor.model
        if not student.labels:
            number = outputs[0]
            interval = interval_around(student.interval, number, student.lowest) or (None, None)
            return RowAnswer(round_number(number), interval, self._source, model, "")
        shares = [round(float(p), PROBABILITY_DIGITS) for p in outputs]
        top = max(shares)
        label = min(
            label for label, share in zip(student.labels, shares, strict=True) if share == top
        )
        return RowAnswer(label, (top,), self._source, model, "")
