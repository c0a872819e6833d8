"""Tests of the columns that hold predictions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    CHAR,
    REAL,
    BigInteger,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import NullType, TypeEngine

from db.errors import ExchangeError
from db.exchange.publication_columns import TableColumn, column_kinds, match_columns, new_type
from tests.hand_made_student import RENTS, TONES

GOOD: dict[str, TypeEngine[Any]] = {
    "id": Text(),
    "prediction": Text(),
    "probability": Float(53),
    "source": Text(),
    "model": Text(),
    "predicted_at": DateTime(),
}


def match(dialect: str = "postgresql", **changed: TypeEngine[Any]) -> dict[str, TableColumn]:
    """Return the columns of a table for a classification, some with other types."""
    return match_columns("scores", TONES, {**GOOD, **changed}, dialect)


def test_a_classification_and_a_regression_have_their_columns() -> None:
    """They are created in this order."""
    assert list(column_kinds(TONES)) == list(GOOD)
    assert list(column_kinds(RENTS)) == [
        "id",
        "prediction",
        "interval_low",
        "interval_high",
        "source",
        "model",
        "predicted_at",
    ]
    assert column_kinds(TONES)["prediction"] == "text"
    assert column_kinds(RENTS)["prediction"] == "number"


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql", "mariadb"])
@pytest.mark.parametrize("spec", [TONES, RENTS], ids=lambda spec: spec.name)
def test_a_created_table_can_be_used(spec: object, dialect: str) -> None:
    """Whatever the database."""
    assert spec in (TONES, RENTS)
    used = TONES if spec is TONES else RENTS
    kinds = column_kinds(used)
    created = {name: new_type(kind, dialect) for name, kind in kinds.items()}
    assert match_columns("scores", used, created, dialect).keys() == kinds.keys()


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("id", Float()),
        ("id", Date()),
        ("prediction", Integer()),
        ("prediction", Enum("happy", "sad")),
        ("probability", Integer()),
        ("probability", Numeric(10, 0)),
        ("probability", mysql.DOUBLE(10, 0)),
        ("probability", Text()),
        ("model", NullType()),
        ("predicted_at", Date()),
        ("predicted_at", Text()),
    ],
)
def test_a_type_that_cannot_hold_the_values_is_named(column: str, kind: TypeEngine[Any]) -> None:
    """With a type that can."""
    with pytest.raises(ExchangeError, match=f"^table scores: column {column} is .*must be [A-Z]"):
        match_columns("scores", TONES, {**GOOD, column: kind}, "postgresql")


def test_a_missing_column_is_named() -> None:
    """With all columns that are needed."""
    found = {name: kind for name, kind in GOOD.items() if name != "source"}
    with pytest.raises(ExchangeError, match="has no column source; it needs the columns id, pred"):
        match_columns("scores", TONES, found, "sqlite")


def test_names_are_matched_exactly_before_capitals_are_ignored() -> None:
    """A table may have both `model` and `MODEL`."""
    assert match(MODEL=Integer())["model"].name == "model"
    found = {("Model" if name == "model" else name): kind for name, kind in GOOD.items()}
    assert match_columns("scores", TONES, found, "sqlite")["model"].name == "Model"


@pytest.mark.parametrize(
    ("kind", "dialect", "fits", "too_large"),
    [
        (SmallInteger(), "postgresql", 2**15 - 1, 2**15),
        (Integer(), "postgresql", 2**31 - 1, 2**31),
        (Integer(), "postgresql", -(2**31), -(2**31) - 1),
        (BigInteger(), "postgresql", 2**63 - 1, 2**63),
        (Integer(), "sqlite", 2**63 - 1, 2**63),
        (mysql.INTEGER(unsigned=True), "mysql", 2**32 - 1, 2**32),
    ],
)
def test_an_integer_id_has_a_limit(
    kind: TypeEngine[Any], dialect: str, fits: int, too_large: int
) -> None:
    """Some databases would write another number instead of a larger one."""
    column = match(dialect, id=kind)["id"]
    assert column.fit(str(fits)) == fits
    with pytest.raises(ExchangeError, match=f"cannot hold the id '{too_large}'"):
        column.fit(str(too_large))


@pytest.mark.parametrize("text", ["007", "1.0", "+1", "-0", "", "1e3", "１", "A", "--1", "1_0"])
def test_other_spellings_of_integers_are_refused(text: str) -> None:
    """Two of them could become the same integer."""
    with pytest.raises(ExchangeError, match=re.escape(repr(text))):
        match(id=Integer())["id"].fit(text)


def test_a_text_longer_than_the_column_is_refused() -> None:
    """Some databases would cut it off."""
    column = match("mysql", prediction=String(5))["prediction"]
    assert column.fit("happy") == "happy"
    with pytest.raises(ExchangeError, match=r"column prediction holds 5 .*'neutral' has 7"):
        column.fit("neutral")
    assert match("sqlite", prediction=String(5))["prediction"].fit("neutral") == "neutral"


def test_the_padding_of_a_column_is_no_difference() -> None:
    """A CHAR column returns texts with spaces after them."""
    column = match(prediction=CHAR(8))["prediction"]
    assert column.read("happy   ") == column.fit("happy")


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(1, 9))
def test_a_single_precision_number_equals_itself(number: float, digits: int) -> None:
    """Whether the database returns all digits of it or the shortest that mean it."""
    column = match(probability=REAL())["probability"]
    wanted = column.fit(float(f"{number:.{digits}g}") if abs(number) < 1e38 else number)
    assert isinstance(wanted, float)
    assert column.read(wanted) == wanted
    assert column.read(f"{wanted:.9g}") == wanted


def test_a_number_beyond_single_precision_is_refused() -> None:
    """It would become infinite."""
    with pytest.raises(ExchangeError, match="cannot hold 1e\\+39; use DOUBLE PRECISION"):
        match(probability=REAL())["probability"].fit(1e39)


@pytest.mark.parametrize(
    ("number", "kept"), [(0.125, 0.13), (-0.125, -0.13), (1e300, 1e300), (2.675, 2.68), (3, 3.0)]
)
def test_decimal_places_are_rounded_as_databases_do(number: float, kept: float) -> None:
    """Half of the last place is rounded away from zero; SQLite rounds nothing."""
    assert match(probability=Numeric(10, 2))["probability"].fit(number) == kept
    assert match("sqlite", probability=Numeric(10, 2))["probability"].fit(number) == number


@pytest.mark.parametrize(
    ("kind", "number", "kept"),
    [
        (mysql.FLOAT(10, 2), 12.3456, 12.350000381469727),
        (mysql.DOUBLE(10, 3), 12.3456, 12.346),
        (mysql.DOUBLE(), 12.3456, 12.3456),
    ],
)
def test_decimal_places_of_mysql(kind: TypeEngine[Any], number: float, kept: float) -> None:
    """Its FLOAT and DOUBLE may have some; reading returns what was written."""
    column = match("mysql", probability=kind)["probability"]
    assert column.fit(number) == kept
    assert column.read(kept) == kept


def test_no_value_stays_none() -> None:
    """A regression may have no interval."""
    for kind in (REAL(), Numeric(10, 2), Float()):
        column = match(probability=kind)["probability"]
        assert column.fit(None) is None
        assert column.read(None) is None
