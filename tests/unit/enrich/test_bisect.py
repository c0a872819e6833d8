"""Tests of bisecting: which failures are a record's, and which are the step's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from db.errors import EnricherError
from db.queue.chunk import MOST_ATTEMPTS
from db.records.record import Record
from enrich.executors.base import RecipeError, TookTooLong
from enrich.pipeline.bisect import (
    HOPELESS_RECORDS,
    BisectingRunner,
    RecordFailure,
    is_step_at_fault,
)

BATCH = 16


class SampleStep:
    """A step that fails on some records; the last good one tells whether it still works."""

    name = "length"

    def __init__(
        self, fails: Callable[[int], bool], *, is_model: bool = False, has_worked: bool = False
    ) -> None:
        self.is_model = is_model
        self.fails = fails
        self.tries: list[int] = []
        self._has_worked = has_worked
        self._good: int | None = None

    def compute(self, records: Sequence[Record]) -> list[Any]:
        """Return the ids, or fail if one of the records makes it fail."""
        self.tries += [one.id for one in records if len(records) == 1]
        if any(self.fails(one.id) for one in records):
            raise EnricherError("no")
        self._good = records[-1].id
        return [one.id for one in records]

    def works_now(self) -> bool | None:
        """Return whether the last good record still gets a value."""
        return None if self._good is None else not self.fails(self._good)

    def has_worked(self) -> bool:
        """Return whether the step has made a value in another process."""
        return self._has_worked


def failed(step: SampleStep, records: int) -> list[int]:
    """Compute that many records in batches; return the ids of those that are charged."""
    some = [Record(number, b"", {}, None, "import") for number in range(records)]
    runner = BisectingRunner(step)
    outcomes = []
    for start in range(0, records, BATCH):
        outcomes += list(runner.run(some[start : start + BATCH]))
    outcomes += list(runner.finish())
    assert [one.record.id for one in outcomes] == list(range(records)), "each has one outcome"
    return [one.record.id for one in outcomes if isinstance(one, RecordFailure)]


def test_records_among_others_that_have_values_are_charged_after_three_tries() -> None:
    """Wherever they stand, also at the very beginning and end."""
    step = SampleStep(lambda number: number in {0, 7, 59})
    assert failed(step, 60) == [0, 7, 59]
    assert step.tries.count(7) == MOST_ATTEMPTS


def test_many_bad_records_in_a_row_are_charged_if_a_good_one_still_works() -> None:
    """They were imported from one bad file, for instance."""
    assert failed(SampleStep(lambda number: 20 <= number < 50), 60) == list(range(20, 50))


def test_no_record_is_charged_if_all_of_them_fail() -> None:
    """After ten of them the step is stopped; the others are not even tried."""
    step = SampleStep(lambda _: True)
    with pytest.raises(RecipeError, match="length: fails on every record; the last: no"):
        failed(step, 500)
    assert len(set(step.tries)) == HOPELESS_RECORDS


def test_a_step_that_breaks_in_the_middle_is_stopped_and_charges_no_record() -> None:
    """The record that was good before now fails too."""
    step = SampleStep(lambda _: False)
    step.fails = lambda number: number >= 20 or len(step.tries) > 0
    with pytest.raises(RecipeError):
        failed(step, 60)


def test_a_single_record_is_charged_to_itself() -> None:
    """It may be the only one that is stale, such as an unseen input."""
    assert failed(SampleStep(lambda _: True), 1) == [0]


def test_a_single_failure_is_the_fault_of_a_model_that_has_never_answered() -> None:
    """A model that has answered other records charges the record."""
    with pytest.raises(RecipeError):
        failed(SampleStep(lambda _: True, is_model=True), 1)
    assert failed(SampleStep(lambda _: True, is_model=True, has_worked=True), 1) == [0]
    with pytest.raises(RecipeError):
        failed(SampleStep(lambda _: True, is_model=True, has_worked=True), 500)


@pytest.mark.parametrize(
    ("failures", "is_model", "has_worked", "works_now", "is_at_fault"),
    [
        (1, False, False, None, False),
        (HOPELESS_RECORDS - 1, False, False, None, False),
        (HOPELESS_RECORDS, False, False, None, True),
        (HOPELESS_RECORDS, False, False, True, False),
        (1, False, False, False, True),
        (1, True, False, None, True),
        (1, True, True, None, False),
        (1, True, True, False, True),
        (HOPELESS_RECORDS, True, True, None, True),
        (HOPELESS_RECORDS, True, False, True, False),
    ],
)
def test_what_still_works_decides_and_otherwise_how_many_fail(
    failures: int, *, is_model: bool, has_worked: bool, works_now: bool | None, is_at_fault: bool
) -> None:
    """A model has to have answered once before a record is charged."""
    decided = is_step_at_fault(
        failures, is_model=is_model, has_worked=has_worked, works_now=works_now
    )
    assert decided is is_at_fault


class SlowStep(SampleStep):
    """A step that takes too long where the other one fails."""

    batches = 0

    def compute(self, records: Sequence[Record]) -> list[Any]:
        """Return the ids, or take too long."""
        self.batches += 1
        try:
            return super().compute(records)
        except EnricherError as error:
            raise TookTooLong(str(error)) from error


def test_a_record_that_takes_too_long_is_charged_after_one_try() -> None:
    """Each try may cost a quarter of an hour."""
    step = SlowStep(lambda number: number == 7)
    assert failed(step, 60) == [7]
    assert step.tries.count(7) == 1


def test_a_step_that_always_takes_too_long_is_stopped_after_few_tries() -> None:
    """Otherwise other datasets would wait for days."""
    step = SlowStep(lambda _: True)
    with pytest.raises(RecipeError, match="fails on every record"):
        failed(step, 60)
    assert step.batches <= 6
