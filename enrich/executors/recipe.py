"""Recipes: everything that a process without the store needs to compute a step.

NumPy and scikit-learn are imported only where a recipe is started. The worker itself only passes
recipes on; without these imports it takes a third of the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from db.errors import EnricherError
from db.scoring.packed_numbers import Vector
from db.scoring.response_body import (
    Answer,
    encode_answer,
    interval_around,
    rank,
    round_number,
    student_answer,
)
from db.scoring.student import Student
from db.scoring.student_data import Artifact, decode_student
from db.spec.stored_spec import decode_spec
from enrich.enrichers.base import Row, WrongAnswer, find_enricher
from enrich.enrichers.value import to_value

from .teacher_check import TeacherCheckRecipe

if TYPE_CHECKING:
    from enrich.learning.column import Kind

# The only key of a row that holds a request instead of fields. No field can have this name.
REQUEST = "record.request"

ComputeRows: TypeAlias = Callable[[Sequence[Row]], list[Any]]


@dataclass(frozen=True)
class EnricherRecipe:
    """Computes one enricher of a spec."""

    spec: str
    name: str
    code_paths: tuple[str, ...]

    def start(self) -> ComputeRows:
        """Return the function from rows to values in their stored form."""
        import numpy as np  # noqa: PLC0415

        compute = find_enricher(decode_spec(self.spec), self.name, self.code_paths).start()

        def to_array(value: Any) -> Any:  # noqa: ANN401
            return np.frombuffer(value.data, dtype="<f4") if isinstance(value, Vector) else value

        def step(rows: Sequence[Row]) -> list[Any]:
            inputs = [{name: to_array(value) for name, value in row.items()} for row in rows]
            return [to_value(value) for value in _one_for_each(self.name, compute(inputs), rows)]

        return step


def _one_for_each(name: str, values: Any, rows: Sequence[Row]) -> list[Any]:  # noqa: ANN401
    """Return an enricher's values as a list; raises WrongAnswer unless there is one for each row.

    A generator may have no end. The characters of a text and the keys of a table are no values.
    """
    if isinstance(values, str | bytes | Mapping | AbstractSet):
        raise WrongAnswer(
            f"{name}: returned a {type(values).__name__}; return a list, with one value for each"
        )
    listed = list(islice(values, len(rows) + 1))
    if len(listed) != len(rows):
        count = f"more than {len(rows)}" if len(listed) > len(rows) else len(listed)
        raise WrongAnswer(
            f"{name}: returned {count} values for {len(rows)} rows; return one for each"
        )
    return listed


class PredictedRow(NamedTuple):
    """A prediction ready to send, with what listings need of it.

    `label` is empty for a regression; `score` is the label's probability, or the number.
    """

    body: bytes
    label: str
    score: float


@dataclass(frozen=True)
class PredictionRecipe:
    """Computes the predictions of a dataset's active model; without a teacher, of its student."""

    spec: str
    model: str
    columns: dict[str, Kind]
    teacher: Artifact | None
    student: Artifact
    code_paths: tuple[str, ...]

    def start(self) -> ComputeRows:
        """Return the function from rows to predictions."""
        # The student knows the range of the training data, and so writes the warnings.
        student = Student(decode_student(self.student.data, self.student.sha256))
        name = decode_spec(self.spec).name
        if self.teacher is None:
            return lambda rows: [self._ask_student(name, student, row) for row in rows]
        return self._start_teacher(name, student, self.teacher)

    def _start_teacher(self, name: str, student: Student, artifact: Artifact) -> ComputeRows:
        from enrich.learning.column import make_table  # noqa: PLC0415
        from enrich.learning.teacher import answer  # noqa: PLC0415
        from enrich.learning.teacher_file import load_teacher  # noqa: PLC0415

        teacher = load_teacher(artifact, self.code_paths)

        def step(rows: Sequence[Row]) -> list[Any]:
            table = make_table(self.columns, rows)
            answers = answer(teacher, table, student.labels, student.lowest, student.teacher_factor)
            return [
                self._predict(name, student, row, numbers)
                for row, numbers in zip(rows, answers, strict=True)
            ]

        return step

    def _ask_student(self, dataset: str, student: Student, row: Row) -> PredictedRow:
        return _to_row(student_answer(dataset, self.model, student, dict(row), "done"))

    def _predict(
        self, dataset: str, student: Student, row: Row, numbers: Sequence[float]
    ) -> PredictedRow:
        if not all(map(math.isfinite, numbers)):
            raise EnricherError("the teacher's answer has a number that is not finite")
        ranked = rank(student.labels, numbers) if student.labels else None
        return _to_row(
            Answer(
                dataset=dataset,
                prediction=next(iter(ranked)) if ranked else round_number(numbers[0]),
                probabilities=ranked or msgspec.UNSET,
                interval=msgspec.UNSET
                if ranked
                else interval_around(student.teacher_interval, numbers[0], student.lowest),
                source="teacher",
                model=self.model,
                enrichment="done",
                warnings=student.warnings(row),
            )
        )


def _to_row(answer: Answer) -> PredictedRow:
    prediction, body = answer.prediction, encode_answer(answer)
    if isinstance(answer.probabilities, dict):
        return PredictedRow(body, str(prediction), answer.probabilities[str(prediction)])
    return PredictedRow(body, "", float(prediction))


@dataclass(frozen=True)
class CallRecipe:
    """Makes the calls of an enricher; its rows are requests, its values their outcomes."""

    spec: str
    name: str
    code_paths: tuple[str, ...]

    def start(self) -> ComputeRows:
        """Return the function from requests to outcomes."""
        code = find_enricher(decode_spec(self.spec), self.name, self.code_paths).make()

        def step(rows: Sequence[Row]) -> list[Any]:
            return list(code.perform([row[REQUEST] for row in rows]))

        return step


@dataclass(frozen=True)
class LookupRecipe:
    """Looks rows up in a table of the store's database."""

    spec: str
    name: str
    code_paths: tuple[str, ...]
    # It may have a password.
    database_url: str = field(repr=False)

    def start(self) -> ComputeRows:
        """Return the function from rows to values in their stored form."""
        code = find_enricher(decode_spec(self.spec), self.name, self.code_paths).make()

        def step(rows: Sequence[Row]) -> list[Any]:
            return [to_value(value) for value in code.read(self.database_url, rows)]

        return step


Recipe: TypeAlias = (
    EnricherRecipe | PredictionRecipe | CallRecipe | LookupRecipe | TeacherCheckRecipe
)
