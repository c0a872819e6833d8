"""Tests of the compute child with enrichers that behave oddly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from db.spec.section import EnricherSpec
from db.spec.stored_spec import encode_spec
from enrich.executors.base import TookTooLong
from enrich.executors.child import Answer, compute
from enrich.executors.local import LocalExecutor
from enrich.executors.recipe import EnricherRecipe
from tests.conftest import notes_spec

ROWS = [{"sentence": "merci"}, {"sentence": "merci beaucoup"}]


def recipe(way: str) -> EnricherRecipe:
    """Return the recipe of an enricher that behaves in that way."""
    use = EnricherSpec(use="tests.unit.enrich.odd_enrichers.Odd", config={"way": way})
    return EnricherRecipe(encode_spec(notes_spec({"odd": use})), "odd", ("tests",))


def answer(way: str) -> Answer:
    """Return the compute child's answer to two rows."""
    return compute({}, "odd", recipe(way), ROWS)


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """Yield an executor with a real child."""
    running = LocalExecutor()
    yield running
    running.close()


def values(executor: LocalExecutor, way: str, rows: list[dict[str, Any]] = ROWS) -> list[Any]:
    """Compute in a real child."""
    make: Callable[[], EnricherRecipe] = lambda: recipe(way)  # noqa: E731
    return executor.compute(way, make, rows).values


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("endless", "odd: returned more than 2 values for 2 rows; return one for each"),
        ("few", "odd: returned 1 values for 2 rows; return one for each"),
        ("text", "odd: returned a str; return a list, with one value for each"),
        ("table", "odd: returned a dict; return a list, with one value for each"),
    ],
)
def test_an_answer_that_is_not_one_value_for_each_row_is_a_fault_of_the_enricher(
    way: str, reason: str
) -> None:
    """The characters of a text would be stored as values, and a generator may never end."""
    assert answer(way) == Answer(fault="recipe", error=reason)


def test_a_generator_of_one_value_for_each_row_is_as_good_as_a_list() -> None:
    """It is read once."""
    assert answer("generator").values == [5, 14]


def test_an_error_whose_words_fail_is_named_by_its_type() -> None:
    """The process that computes does not die of it."""
    found = answer("wordless")
    assert found.fault == "rows"
    assert "Wordless: it has no words" in found.error


def test_an_error_with_half_a_character_is_stored_short_and_on_one_line() -> None:
    """No database stores half of a surrogate pair, and a chunk would fail with its good values."""
    found = answer("surrogate")
    assert "ValueError: cannot read ?" in found.error
    assert len(found.error.encode()) < 600
    assert found.error.isprintable() or "\N{REPLACEMENT CHARACTER}" in found.error
    assert "\x1b" not in found.error


def test_what_an_enricher_prints_is_no_part_of_the_output_of_a_command(
    executor: LocalExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    """`once --json` is for programs; prints go where the log goes."""
    assert values(executor, "prints") == [1, 1]
    executor.close()
    captured = capfd.readouterr()
    assert "loading the model" in captured.err
    assert captured.out == ""


def test_an_enricher_that_forks_and_comes_back_twice_mixes_up_no_answers(
    executor: LocalExecutor,
) -> None:
    """Otherwise the second process's answer would be taken for the next rows' values."""
    for _ in range(3):
        assert values(executor, "forks") == [1, 1]
        assert values(executor, "generator") == [5, 14]


def test_an_enricher_that_hangs_is_ended_and_the_next_batch_has_its_values() -> None:
    """Other rows and other datasets would wait for ever."""
    running = LocalExecutor(longest_seconds=10.0)
    try:
        with pytest.raises(TookTooLong, match="it took longer than 10 s and was ended"):
            values(running, "hangs", [{"sentence": "merci"}, {"sentence": "hang"}])
        assert values(running, "hangs", [{"sentence": "merci"}]) == [1]
    finally:
        running.close()
