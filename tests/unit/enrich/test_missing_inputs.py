"""Tests of enrichers on rows with missing values: fields may be optional."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from enrich.enrichers.base import Row, joined_text
from enrich.enrichers.embedding import Embedding
from enrich.enrichers.http.template import fill_body, fill_url
from enrich.enrichers.language import Language
from enrich.enrichers.near_duplicates import NearDuplicates
from enrich.enrichers.sql import Sql
from enrich.enrichers.text_profile import TextProfile, profile

NOTHING = {"wish": None}


def test_a_missing_text_is_no_text() -> None:
    """The word None would be read as one."""
    assert joined_text(NOTHING) == ""
    assert joined_text({"wish": None, "note": "by the sea"}) == "by the sea"
    assert joined_text({"wish": "a room", "note": "by the sea"}) == "a room\nby the sea"


def test_the_profile_of_a_missing_text_is_that_of_an_empty_one() -> None:
    """It has twelve numbers like any other."""
    (made,) = TextProfile()([NOTHING])
    assert made == profile("")
    assert len(made.numbers()) == 12


def test_a_missing_text_has_an_embedding() -> None:
    """Its length is that of all others."""
    nothing, something = Embedding()([NOTHING, {"wish": "a room by the sea"}])
    assert nothing.shape == something.shape == (512,)


def test_a_missing_text_has_no_language() -> None:
    """A guess would be learnt from."""
    assert Language()([NOTHING, {"wish": "une chambre avec vue sur la mer"}]) == [None, "fr"]


def test_missing_texts_are_not_near_duplicates_of_each_other() -> None:
    """They have nothing in common."""
    same = {"wish": "a room with a view of the sea"}
    rows: list[tuple[str, Row]] = [("a", NOTHING), ("b", NOTHING), ("c", same), ("d", dict(same))]
    assert set(NearDuplicates().analyse(rows)) == {"c", "d"}


def test_a_missing_value_is_empty_in_a_template() -> None:
    """Alone in a body it is null, which JSON has a word for."""
    assert fill_url("https://api.test/of?wish={wish}&end=1", NOTHING) == (
        "https://api.test/of?wish=&end=1"
    )
    assert fill_body({"q": "wish: {wish}", "raw": "{wish}"}, NOTHING) == {
        "q": "wish: ",
        "raw": None,
    }


@pytest.mark.parametrize("cities", [["Lyon", None], [None]])
def test_a_missing_value_matches_no_row_of_a_table(cities: list[str | None]) -> None:
    """Not even one that has no value in that column either."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE towns (name TEXT, population INTEGER)"))
        connection.execute(text("INSERT INTO towns VALUES ('Lyon', 500000), (NULL, 7)"))
        rows = [{"city": city} for city in cities]
        found = Sql("towns", {"city": "name"}, ["population"]).look_up(connection, rows)
    assert found == [500000, None][-len(cities) :]
    engine.dispose()
