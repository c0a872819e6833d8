"""The types of PostgreSQL, as a query's rows have them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from db.exchange.query_source import query_source
from db.exchange.user_database import open_database

TYPES = """
SELECT
  date '2024-02-29' AS day, timestamptz '2024-01-01 10:00+02' AT TIME ZONE 'UTC' AS moment,
  timestamptz 'epoch' AS zoned, time '10:00' AS clock, interval '1 day 2 hours' AS span,
  1.10::numeric AS price, 9007199254740993::bigint AS big, 12345678901234567890123::numeric AS huge,
  'NaN'::float8 AS nothing, 'NaN'::numeric AS nothing_exact, NULL::int AS missing, true AS yes,
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS code, 'sad'::mood AS mood,
  '{"a": {"b": 1}, "c": null}'::jsonb AS tree, '[1, 2]'::json AS list, array[1, NULL] AS items,
  '\\x00ff'::bytea AS bytes, '100 %s :x ?' AS "per%cent"
"""


def test_each_type_has_the_value_that_a_file_would_have(postgres: Callable[[], str]) -> None:
    """No digit is lost; missing values are left out."""
    with open_database(postgres()) as database:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TYPE mood AS ENUM ('sad', 'glad')")
        with query_source(database, TYPES) as source:
            (row,) = source.rows()
    zoned = row.values.pop("zoned")
    assert str(zoned).startswith(("1970-01-01T", "1969-12-31T"))
    assert row.values == {
        "day": "2024-02-29",
        "moment": "2024-01-01T08:00:00",
        "clock": "10:00:00",
        "span": 93600.0,
        "price": Decimal("1.10"),
        "big": 9007199254740993,
        "huge": Decimal(12345678901234567890123),
        "yes": True,
        "code": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "mood": "sad",
        "tree.a.b": 1,
        "list": [1, 2],
        "items": [1, None],
        "bytes": "00ff",
        "per%cent": "100 %s :x ?",
    }
