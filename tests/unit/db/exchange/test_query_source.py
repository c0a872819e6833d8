"""Tests of queries of SQLite files: what is a query, and the values that SQLite lets in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from db.errors import ExchangeError
from db.exchange.query_source import query_source, without_end
from db.exchange.user_database import open_database


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return an SQLite file with values of every type in one column."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE loose (id INTEGER, value INTEGER)")
        values = [9007199254740993, 1.5, "text", b"\x00\xff", b"utf-8", None, "00420"]
        connection.executemany("INSERT INTO loose VALUES (?, ?)", enumerate(values))
        connection.commit()
    return path


def read(path: Path, query: str) -> list[dict[str, object]]:
    """Return the rows of a query."""
    url = f"sqlite:///{path}"
    with open_database(url, read_only=True) as database, query_source(database, query) as source:
        return [row.values for row in source.rows()]


def test_loose_types_come_as_they_are(shop: Path) -> None:
    """A missing value is left out, as an empty cell of CSV is."""
    values = [row.get("value") for row in read(shop, "SELECT * FROM loose ORDER BY id")]
    assert values == [9007199254740993, 1.5, "text", "00ff", "utf-8", None, 420]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS one",
        "  select 1 AS one ; \n",
        "-- a comment\n/* another; one */ SELECT 1 AS one -- the end",
        "WITH a AS (SELECT 1 AS one) SELECT one FROM a",
        "SELECT 1 AS one; -- the end; of it\n/* and ; more */ ;",
    ],
)
def test_a_select_is_read(shop: Path, query: str) -> None:
    """With comments, and a semicolon at its end."""
    assert read(shop, query) == [{"one": 1}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ';' AS a, '; -- b' AS \"c;\" FROM `d;` /* ; */ -- ; e",
        "SELECT $$; -- a$$",
        "SELECT 'it''s; -- a'",
        "SELECT 1; DELETE FROM loose -- the end",
        "SELECT '; --",
        "/*" * 5000,
    ],
)
def test_a_semicolon_in_a_string_or_comment_stays(query: str) -> None:
    """So does one before another statement, which the database refuses."""
    assert without_end(query) == query


@pytest.mark.parametrize(
    "query",
    [
        "",
        "-- SELECT 1",
        "/* SELECT 1",
        "DELETE FROM loose RETURNING id",
        "PRAGMA user_version = 5",
        "ATTACH 'other.db' AS other",
        "WITH a AS (SELECT 1) DELETE FROM loose",
        "/*" * 5000,
        "(" * 5000,
    ],
)
def test_anything_but_a_select_is_refused(shop: Path, query: str) -> None:
    """The file stays as it is."""
    before = shop.read_bytes()
    with pytest.raises(ExchangeError):
        read(shop, query)
    assert shop.read_bytes() == before
    assert [each.name for each in shop.parent.iterdir()] == ["shop.db"]


def test_a_column_name_has_no_line_breaks(shop: Path) -> None:
    """Readers of files normalise names in the same way; a name with a dot stays whole."""
    assert read(shop, 'SELECT 1 AS " a\n b ", 2 AS "t.x"') == [{"a b": 1, "t.x": 2}]


def test_a_database_error_has_one_line_that_names_the_file(shop: Path) -> None:
    """Also for a file that is not a database."""
    with pytest.raises(ExchangeError, match=r"shop\.db: no such table: nowhere$"):
        read(shop, "SELECT *\nFROM nowhere")
    shop.write_text("no database" * 500, "utf-8")
    with pytest.raises(ExchangeError, match=r"shop\.db: file is not a database$"):
        read(shop, "SELECT * FROM loose")
