"""Tests of explanations as they are sent and as the pages show them."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.interval import Interval
from db.scoring.response_body import Answer, student_answer
from db.scoring.student import Student
from db.scoring.student_data import StudentData
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs
from serve.pages.formatting import decimals_for, interval_text, signed
from serve.pages.trying.predict_form import FormResult, ReasonTable, reason_table
from serve.prediction.catalog import NoModelError, Served
from serve.prediction.explanation import ExplanationBody, ReasonBody, explain
from tests.hand_made_student import INTERVAL, RENTS, TONES, as_teacher, rents, tones

TONE: Inputs = {"sentence": "super ravi", "town": None}
RENT: Inputs = {"area": 95, "town": "Paris"}


def served(spec: DatasetSpec, data: StudentData) -> Served:
    """Return a dataset as it is served with a student."""
    return Served(1, spec, f"{spec.name}@1", Student(data))


def summed(body: ExplanationBody) -> float:
    """Return the sum of the base, of all amounts and of the rest."""
    return body.base + sum(reason.amount for reason in body.reasons) + body.rest


@given(st.floats(-1e9, 1e9), st.sampled_from(["Lyon", "Paris", "Nice", None]))
def test_the_reasons_for_any_number_add_up_to_it(area: float, town: str | None) -> None:
    """Whatever its size, and however far from training."""
    body = explain(served(RENTS, rents(lowest=None)), {"area": area, "town": town})
    assert summed(body) == pytest.approx(body.total, rel=1e-8, abs=1e-6)
    assert body.total == body.prediction


def test_a_number_below_the_smallest_one_is_explained_by_its_total() -> None:
    """The answer is the smallest number; the reasons say why it would be below."""
    body = explain(served(RENTS, rents(lowest=500.0)), {"area": -900, "town": "Lyon"})
    assert body.total < 500.0 == body.prediction
    assert summed(body) == pytest.approx(body.total)


@given(st.text(), st.sampled_from(["Lyon", "Paris", None]))
def test_the_reasons_for_any_text_add_up_to_its_log_odds(sentence: str, town: str | None) -> None:
    """Whatever its words."""
    body = explain(served(TONES, tones()), {"sentence": sentence, "town": town})
    assert summed(body) == pytest.approx(body.total, abs=1e-8)
    assert body.total >= 0.0


def test_labels_that_are_equally_likely_are_explained_in_the_order_of_answers() -> None:
    """That is the order of their names, not of the student."""
    data = StudentData(labels=["z", "a"], bias=[1e-9, 0.0], shift=4, parts={})
    spec = msgspec.structs.replace(TONES, labels=("z", "a"))
    body = explain(served(spec, data), {})
    answer = student_answer("tones", "tones@1", Student(data), {}, "off")
    assert (body.prediction, body.over) == (answer.prediction, "z") == ("a", "z")
    assert summed(body) == body.total == -1e-9


def test_a_student_of_one_label_is_explained_without_another() -> None:
    """There is no label over which it is preferred."""
    data = StudentData(labels=["only"], bias=[1.0], shift=4, parts={})
    body = explain(served(TONES, data), {})
    assert (body.prediction, body.over) == ("only", msgspec.UNSET)


def test_a_dataset_without_a_student_has_no_explanation() -> None:
    """The error says what to do."""
    with pytest.raises(NoModelError, match="enrich train rents"):
        explain(Served(1, RENTS), {})
    with pytest.raises(NoModelError, match="rents@2 is damaged"):
        explain(Served(1, RENTS, "rents@2"), {})


def answer_of(data: StudentData, inputs: Inputs) -> Answer:
    """Return the answer of a student."""
    return student_answer("a", "a@1", Student(data), inputs, "done")


def result_of(data: StudentData, inputs: Inputs = RENT) -> tuple[FormResult, ReasonTable]:
    """Return a rent as the page shows it, and its reasons."""
    answer = answer_of(data, inputs)
    reasons = reason_table(explain(served(RENTS, data), inputs), RENTS, answer)
    return FormResult(answer, "", "", reasons), reasons


def table(spec: DatasetSpec, data: StudentData, inputs: Inputs, source: str) -> ReasonTable:
    """Return the table of reasons next to an answer of this source."""
    answer = answer_of(data, inputs)
    named = msgspec.structs.replace(answer, source=source)
    return reason_table(explain(served(spec, data), inputs), spec, named)


def test_the_page_shows_reasons_with_signs_and_as_many_digits_as_they_need() -> None:
    """The total is that of an average row and all amounts."""
    shown = table(RENTS, rents(), RENT, "teacher")
    assert shown.title == "How the rent comes about"
    rows = [(row.field, row.shown, row.amount) for row in shown.rows]
    assert rows == [("area", "95", "+306"), ("town", "Paris", "+70")]
    assert (shown.base, shown.rest, shown.total) == ("760", "", "1,136")


def test_the_page_shows_the_strongest_reasons_and_the_sum_of_the_others() -> None:
    """More than a few rows are not read."""
    reasons = [ReasonBody(field="area", value=1, amount=amount) for amount in range(8, 0, -1)]
    body = explain(served(RENTS, rents()), RENT)
    base = body.total - 36.0
    shown = reason_table(
        msgspec.structs.replace(body, base=base, reasons=reasons), RENTS, answer_of(rents(), RENT)
    )
    assert [row.amount for row in shown.rows][-1] == "+3"
    assert (len(shown.rows), shown.rest) == (6, "+3")


def test_the_page_shows_a_number_with_the_decimals_of_its_interval() -> None:
    """Three decimals without one."""
    answer = student_answer("rents", "rents@1", Student(rents()), RENT, "done")
    assert FormResult(answer, "", "", None).headline == "1,136"
    bare = msgspec.structs.replace(answer, interval=msgspec.UNSET)
    assert FormResult(bare, "", "", None).headline == "1,136.250"


@pytest.mark.parametrize(
    ("below", "above", "mean", "scale", "headline", "between", "area"),
    [
        (0.0, 0.0, 0.25, 0.0, "0.25", "0.25 and 0.25", None),
        (0.0, 0.0, 7.0, 1 / 4.3625, "8", "8 and 8", "+1"),
        (-0.02, 0.02, 7.0, 1.0, "11.3625", "11.3425 and 11.3825", "+3.0625"),
        (-133.0, 299.0, 1.2e6, 1e4, "1,243,625", "1,243,492 and 1,243,924", "+30,625"),
        (-3e5, 3e5, -4e7, 1e4, "−39,956,375", "−40,256,375 and −39,656,375", "+30,625"),
    ],
)
def test_a_number_its_interval_and_its_reasons_have_the_same_decimals(  # noqa: PLR0913
    below: float,
    above: float,
    mean: float,
    scale: float,
    headline: str,
    between: str,
    area: str | None,
) -> None:
    """Those that suit the width, or the number where there is no width; large ones are plain."""
    interval = Interval(coverage=0.9, edges=[], below=[below], above=[above])
    data = rents(lowest=None)
    data = msgspec.structs.replace(data, interval=interval, target_mean=mean, target_scale=scale)
    result, reasons = result_of(data)
    assert isinstance(result.answer.interval, tuple)
    assert result.headline == reasons.total == headline
    assert interval_text(result.answer.interval, result.digits) == (
        f"between {between} in nine of ten cases"
    )
    assert next((row.amount for row in reasons.rows), None) == area


def test_the_page_says_if_no_answer_is_lower() -> None:
    """Without a width, all numbers have the decimals of the reasons."""
    certain = Interval(coverage=0.9, edges=[], below=[0.0], above=[0.0])
    data = msgspec.structs.replace(
        rents(), interval=certain, target_mean=-2.0, target_scale=0.1, lowest=0.0
    )
    result, reasons = result_of(data)
    assert [row.amount for row in reasons.rows] == ["+0.306", "+0.070"]
    assert (reasons.total, reasons.answered) == ("−1.564", "0.000")
    assert (result.headline, result.digits) == ("0.000", 3)
    result, reasons = result_of(msgspec.structs.replace(data, interval=INTERVAL))
    assert (reasons.total, reasons.answered, result.headline) == ("−2", "0", "0")
    assert not result_of(rents(lowest=500.0))[1].answered
    assert not table(TONES, tones(), TONE, "student").answered


@pytest.mark.parametrize("source", ["teacher", "student"])
@pytest.mark.parametrize("enrichment", ["queued", "off"])
def test_the_page_waits_only_for_an_answer_that_a_teacher_may_replace(
    source: Literal["teacher", "student"], enrichment: Literal["queued", "off"]
) -> None:
    """A teacher's answer is final, even if enrichers have not seen its inputs."""
    answer = Answer(dataset="a", prediction="b", source=source, model="a@1", enrichment=enrichment)
    result = FormResult(answer, "", "", None)
    assert result.is_provisional == (source == "student" and enrichment == "queued")
    assert result.status.startswith("predicted by the teacher") == (source == "teacher")


def test_the_page_names_words_missing_values_and_the_rest_of_a_text() -> None:
    """The text itself would be repeated for each of its words."""
    shown = table(TONES, tones(), TONE, "student")
    assert shown.title == "Why happy rather than neutral, in logarithms of odds"
    rows = {(row.field, row.shown) for row in shown.rows}
    assert rows >= {("sentence", "ravi"), ("sentence", "super"), ("town", "missing")}
    assert ("sentence", "the text as a whole") in rows


def test_the_page_says_if_the_reasons_are_not_those_of_the_answer() -> None:
    """A stored answer is the teacher's, which the student's reasons do not explain."""
    assert table(TONES, tones(), TONE, "teacher").title.startswith("The student’s reasons. Why")
    assert table(TONES, as_teacher(tones()), TONE, "teacher").title.startswith("Why")


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((812.4, 1043.3), "between 812 and 1,043 in nine of ten cases"),
        ((0.0, 0.0251), "between 0.0000 and 0.0251 in nine of ten cases"),
        ((7.0, 7.0), "between 7 and 7 in nine of ten cases"),
        ((0.25, 0.25), "between 0.25 and 0.25 in nine of ten cases"),
        ((1_234_567.0, 1_234_999.0), "between 1,234,567 and 1,234,999 in nine of ten cases"),
        ((-12.3456, 2.0), "between −12.3 and 2.0 in nine of ten cases"),
        ((-1.5e308, 1.5e308), "between −1.5e+308 and 1.5e+308 in nine of ten cases"),
    ],
)
def test_an_interval_is_shown_with_three_digits_of_its_width(
    interval: tuple[float, float], text: str
) -> None:
    """More digits would say more than it knows."""
    assert interval_text(interval) == text


def test_a_signed_number_has_a_true_minus() -> None:
    """A hyphen is hard to see."""
    assert [signed(amount, 1) for amount in (1.25, -1234.5, 0.0)] == ["+1.2", "−1,234.5", "+0.0"]
    assert [decimals_for(size) for size in (0.0, 1e-12, 0.5, 99.9, 1e300)] == [0, 6, 3, 1, 0]
