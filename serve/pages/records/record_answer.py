"""The answer that the page of a record shows, with the reasons for it."""

from __future__ import annotations

from db.records.record_detail import RecordDetail
from db.scoring.response_body import decode_answer, student_answer
from serve.api.query import in_query
from serve.pages.language.translation import mark
from serve.pages.trying.predict_form import FormResult, reason_table
from serve.prediction.catalog import Served
from serve.prediction.explanation import explain

# Where a record or a row comes from.
ORIGINS = {
    "import": mark("imported data"),
    "api": mark("rows that a program sent"),
    "request": mark("a question; it is not in the data"),
    "person": mark("a person"),
}


def record_answer(served: Served, record: RecordDetail) -> FormResult | None:
    """Return the teacher's stored answer, else the student's, with its reasons; None without both.

    The reasons are those of the student, which explains the teacher where that has no reasons.
    """
    if record.prediction is not None:
        answer = decode_answer(record.prediction)
    elif served.student is not None:
        answer = student_answer(served.name, served.model, served.student, record.inputs, "off")
    else:
        return None
    explanation = explain(served, record.inputs) if served.student else None
    reasons = reason_table(explanation, served.spec, answer) if explanation else None
    return FormResult(
        answer, record.key, f"/predict/{served.name}?{in_query(record.inputs)}", reasons
    )
