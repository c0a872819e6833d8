"""The check of a teacher with other versions of its libraries: it answers what it once answered.

NumPy and scikit-learn are imported only where the check is started, as for other recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from db.scoring.student import Student
from db.scoring.student_data import Artifact, decode_student
from enrich.enrichers.base import Row

if TYPE_CHECKING:
    from enrich.learning.column import Kind

# The key of the answer that a row should get. No field can have this name.
KNOWN = "record.answer"
# Stored probabilities have six digits, and sums of floats differ between versions.
TOLERANCE = 1e-5

CheckRows: TypeAlias = Callable[[Sequence[Row]], list[Any]]


@dataclass(frozen=True)
class TeacherCheckRecipe:
    """Computes known answers of a teacher again; its values are "", or how an answer differs."""

    columns: dict[str, Kind]
    teacher: Artifact | None
    student: Artifact
    code_paths: tuple[str, ...]

    def start(self) -> CheckRows:
        """Return the function from rows, each with its KNOWN answer, to differences."""
        import numpy as np  # noqa: PLC0415

        from enrich.learning.column import make_table  # noqa: PLC0415
        from enrich.learning.teacher import answer  # noqa: PLC0415
        from enrich.learning.teacher_file import load_teacher  # noqa: PLC0415

        student = Student(decode_student(self.student.data, self.student.sha256))

        def check(rows: Sequence[Row]) -> list[Any]:
            if self.teacher is None:
                return [""] * len(rows)
            # Loaded here, so that its memory is free again after the check.
            teacher = load_teacher(self.teacher, self.code_paths)
            table = make_table(self.columns, rows)
            answers = answer(teacher, table, student.labels, student.lowest, student.teacher_factor)
            known = np.array([row[KNOWN] for row in rows]).reshape(answers.shape)
            is_same = np.isclose(answers, known, rtol=TOLERANCE, atol=TOLERANCE).all(axis=1)
            return ["" if same else "differs" for same in is_same]

        return check
