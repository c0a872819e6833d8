"""Tests of the formats of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.spec.field import NumberField
from db.spec.number_format import looks_grouped, parse_format
from db.spec.validation import read_cell_number, read_value

FORMATS = [
    "1234.5",
    "1234,5",
    "1,234.5",
    "1.234,5",
    "1 234,5",
    "1'234.5",
    "$1,234.5",
    "1234.5 km/h",
    "1234,5 €",
    "₹ 1,234.5/-",
    "1234.5-",
    "1234.5 years",
    "1234.5 E",
]


@pytest.mark.parametrize(
    ("number_format", "cell", "number"),
    [
        ("$1,234.5", "$3,472.00", 3472),
        ("$1,234.5", "950", 950),
        ("$1,234.5", "-$5.25", -5.25),
        ("$1,234.5", "($1,234.00)", -1234),
        ("1234.5 %", "93%", 93),
        ("1234.5 CC", "1800 cc", 1800),
        ("1.234,5 €", "1.234,50 €", 1234.5),
        ("1.234,5", "1.234", 1234),
        ("1,234.5", "2,387", 2387),
        ("1,234.5", "12,34,567", 1234567),
        ("1 234,5", "12\u202f500,5", 12500.5),
        ("1'234.5", "1’234", 1234),
        ("1,234.5+", "10,000+", 10000),
        ("1234,5", "\u22122,5", -2.5),
        ("1234.5", "\u20132", -2),
        ("1234,5", "5,45e-06", 5.45e-06),
        ("1.234,5 %", "8,5E+2 %", 850),
        ("1234.5", "247.37-", -247.37),
        ("1,234.5-", "1,247.37-", -1247.37),
        ("1,234.5-", "130.61", 130.61),
        ("1'234.5", "6'967.\u2013", 6967),
        ("1.234,5 €", "2.720,- €", 2720),
        ("1.234,5 €", "-2.720,-\u00a0€", -2720),
        ("CHF 1'234.5", "CHF 50.--", 50),
        ("₹ 1,234.5", "₹ 9,27,636/-", 927636),
        ("₹ 1,234.5/-", "9,27,636", 927636),
        ("1234.5 years", "1 year", 1),
        ("1234.5 year", "2 Years", 2),
        ("1234.5 mW", "4 mw", 4),
        ("1234.5 Min", "4 min", 4),
        ("1234.5 °C", "4°c", 4),
        ("1234.5 kg", "4 Kg", 4),
    ],
)
def test_a_cell_is_read_in_the_format_of_its_column(
    number_format: str, cell: str, number: float
) -> None:
    """Marks, signs, units and currencies of many countries."""
    read = parse_format(number_format).read(cell)
    assert read is not None
    assert float(read) == number


@pytest.mark.parametrize(
    ("number_format", "cell"),
    [
        ("1,234.5", "2,38"),
        ("1,234.5", "1,2345"),
        ("1.234,5", "1.23"),
        ("1234.5 %", "93"),
        ("1234.5 CC", "1800 kg"),
        ("$1,234.5", "$"),
        ("1234.5", "1,5"),
        ("1234.5 km", "5 kms"),
        ("1234,5", ""),
        ("1234.5 mW", "4 MW"),
        ("1234.5 mWh", "4 MWh"),
        ("1234.5 mm", "4 Mm"),
        ("1234.5 mbar", "4 Mbar"),
        ("1234.5 M", "4m"),
        ("1234.5 MB/s", "4 Mb/s"),
        ("1234.5", "9,27,636/-"),
        ("1234.5", "927636/-"),
        ("1,234.5", "2.720,-"),
        ("1234.5", "-5-"),
        ("1234.5", "5e"),
        ("1234,5", "5e1,5"),
    ],
)
def test_a_cell_in_another_form_is_not_read(number_format: str, cell: str) -> None:
    """It may mean something else."""
    assert parse_format(number_format).read(cell) is None


@pytest.mark.parametrize("text", ["", "1,234", "1.234.5", "1234", "5.4321", "1234.56", "x" * 50])
def test_a_format_is_the_number_1234_5(text: str) -> None:
    """Any other number would leave open which mark is which."""
    with pytest.raises(ValueError, match=r"write the number 1234\.5"):
        parse_format(text)


@given(
    st.sampled_from(FORMATS),
    st.floats(-1e9, 1e9) | st.floats(-1e-3, 1e-3) | st.sampled_from([1e-300, -5.45e-06, 1e100]),
)
def test_a_number_that_is_written_in_a_format_is_read_as_itself(
    number_format: str, number: float
) -> None:
    """So an exported table can be imported again."""
    cell = parse_format(number_format).write(number)
    assert float(read_cell_number(cell, number_format)) == number


def test_marks_before_three_digits_may_separate_thousands() -> None:
    """A leading zero or another number of digits shows decimals."""
    assert [looks_grouped(text, ".") for text in ("1.234", "-12.345.678", "0.123", "1.23")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("dash", ["-", "\u2212", "\u2013"])
def test_a_number_without_a_format_may_have_a_long_dash_as_its_sign(dash: str) -> None:
    """Web pages and word processors write it so."""
    assert read_value("size", NumberField(), f"{dash}2.5") == -2.5
