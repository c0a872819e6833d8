"""Recipes: all that a process without the store needs to compute a step.

What computing needs is imported where it is started: the worker itself, which only hands
recipes on, does without NumPy and scikit-learn, and so in a third of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from db.records.enrichment import Vector
from db.records.model import Artifact
from db.scoring.response_body import Answer, encode_answer, rank, round_number
from db.scoring.student import Student, decode_student
from db.spec.dataset_spec import decode_spec
from enrich.enrichers.base import Row, WrongAnswer, find_enricher, to_value

if TYPE_CHECKING:
    from enrich.learning.column import Kind

# What a row holds instead of fields; no field can bear such a name.
KEY = "record.key"
REQUEST = "record.request"

ComputeRows: TypeAlias = Callable[[Sequence[Row]], list[Any]]


@dataclass(frozen=True)
class EnricherRecipe:
    """One enricher of a spec."""

    spec: str
    name: str
    code_paths: tuple[str, ...]

    def start(self) -> ComputeRows:
        """Return the function from rows to values as they are stored."""
        import numpy as np  # noqa: PLC0415

        compute = find_enricher(decode_spec(self.spec), self.name, self.code_paths).start()

        def plain(value: Any) -> Any:  # noqa: ANN401
            return np.frombuffer(value.data, dtype="<f4") if isinstance(value, Vector) else value

        def step(rows: Sequence[Row]) -> list[Any]:
            readable = [{name: plain(value) for name, value in row.items()} for row in rows]
            values = [to_value(made) for made in compute(readable)]
            if len(values) != len(rows):
                raise WrongAnswer(f"{self.name}: gave {len(values)} values for {len(rows)} rows")
            return values

        return step


@dataclass(frozen=True)
class PredictionRecipe:
    """A dataset's active model."""

    spec: str
    model: str
    columns: dict[str, Kind]
    teacher: Artifact
    student: Artifact
    code_paths: tuple[str, ...]

    def start(self) -> ComputeRows:
        """Return the function from rows to bodies ready to send."""
        from enrich.learning.column import make_table  # noqa: PLC0415
        from enrich.learning.cross_validation import answer  # noqa: PLC0415
        from enrich.learning.teacher import load_teacher  # noqa: PLC0415

        spec = decode_spec(self.spec)
        teacher = load_teacher(self.teacher, self.code_paths)
        # The student knows what training saw, and so what to warn of.
        student = Student(decode_student(self.student.data, self.student.sha256))

        def step(rows: Sequence[Row]) -> list[Any]:
            given = answer(teacher, make_table(self.columns, rows), list(student.labels))
            return [
                self._body(spec.name, student, row, numbers)
                for row, numbers in zip(rows, given, strict=True)
            ]

        return step

    def _body(self, dataset: str, student: Student, row: Row, numbers: Sequence[float]) -> bytes:
        ranked = rank(student.labels, numbers) if student.labels else None
        return encode_answer(
            Answer(
                dataset=dataset,
                prediction=next(iter(ranked)) if ranked else round_number(numbers[0]),
                probabilities=ranked or msgspec.UNSET,
                source="teacher",
                model=self.model,
                enrichment="done",
                warnings=student.warnings(row),
            )
        )


@dataclass(frozen=True)
class CallRecipe:
    """The calls of a metered enricher; its rows are requests, its values their outcomes."""

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
class FindingsRecipe:
    """What a look at the whole set found, by record."""

    findings: bytes

    def start(self) -> ComputeRows:
        """Return the function from keys to findings; a record without any has none."""
        found: dict[str, Any] = msgspec.json.decode(self.findings or b"{}")
        return lambda rows: [found.get(row[KEY]) for row in rows]


Recipe: TypeAlias = EnricherRecipe | PredictionRecipe | CallRecipe | FindingsRecipe
