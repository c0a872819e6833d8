"""The names of the months in English and in the languages of its readers in Europe."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_LEAST_LETTERS = 3
_NAMES = (
    "january february march april may june july august september october november december",
    "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "januar februar marz april mai juni juli august september oktober november dezember",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "januari februari maart april mei juni juli augustus september oktober november december",
)
# Spellings that are not the beginning of a name.
_OTHER_NAMES = {"mrz": 3, "maerz": 3, "mrt": 3, "jaenner": 1, "janner": 1, "setiembre": 9}


def fold(text: str) -> str:
    """Return a text in small letters, without accents, and with single blanks."""
    plain = (each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    return " ".join("".join(plain).lower().split())


def month_number(name: str) -> int | None:
    """Return the number of the month with this folded name or abbreviation, None for others."""
    return _MONTHS.get(name)


def _beginnings() -> Iterator[tuple[str, int]]:
    for names in _NAMES:
        for number, name in enumerate(names.split(), 1):
            for length in range(_LEAST_LETTERS, len(name) + 1):
                yield name[:length], number


def _months() -> dict[str, int]:
    """Return the months by each beginning of a name that only one month has."""
    numbers: dict[str, set[int]] = {}
    for beginning, number in _beginnings():
        numbers.setdefault(beginning, set()).add(number)
    return {name: min(found) for name, found in numbers.items() if len(found) == 1} | _OTHER_NAMES


_MONTHS = _months()
