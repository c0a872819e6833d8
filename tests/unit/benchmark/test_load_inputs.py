"""What the benchmark asks for."""

from __future__ import annotations

from itertools import islice
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmark.load.inputs import Inputs, request_paths
from benchmark.load.scenario import Asks

SENTENCES: list[Inputs] = [
    {"sentence": f"une chambre à {city}"} for city in map(chr, range(97, 123))
]
CUSTOMERS: list[Inputs] = [
    {"age": 20 + number, "education": ("PhD", "Master")[number % 2], "income": 1000.5 + number}
    for number in range(40)
]


def asked(asks: Asks, rows: list[Inputs], count: int = 400) -> list[dict[str, str]]:
    """Return the first inputs that are asked for."""
    found = islice(request_paths("some", asks, rows, "m"), count)
    return [
        {name: one[0] for name, one in parse_qs(urlsplit(path).query).items()} for path in found
    ]


def known(rows: list[Inputs]) -> list[dict[str, str]]:
    """Return rows as a query has them."""
    return [{name: str(value) for name, value in row.items()} for row in rows]


def test_known_inputs_are_rows_as_they_are() -> None:
    """So that the store has them."""
    assert all(one in known(SENTENCES) for one in asked("known", SENTENCES))


@pytest.mark.parametrize("rows", [SENTENCES, CUSTOMERS])
def test_unseen_inputs_are_none_of_the_rows(rows: list[Inputs]) -> None:
    """And have all the fields of one."""
    for one in asked("unseen", rows):
        assert one not in known(rows)
        assert one.keys() == rows[0].keys()


def test_unseen_sentences_never_repeat() -> None:
    """Or the memory would answer."""
    found = [one["sentence"] for one in asked("unseen", SENTENCES)]
    assert len(set(found)) == len(found)


def test_every_other_mixed_input_is_known() -> None:
    """Half of each."""
    found = [one in known(SENTENCES) for one in asked("mixed", SENTENCES)]
    assert found == [True, False] * (len(found) // 2)


def test_random_inputs_keep_to_what_each_field_holds() -> None:
    """Whole numbers stay whole, and choices are chosen."""
    for one in asked("random", CUSTOMERS):
        assert 20 <= int(one["age"]) <= 59
        assert one["education"] in {"PhD", "Master"}
        assert 1000.5 <= float(one["income"]) <= 1039.5


def test_there_is_something_to_ask_in_every_way() -> None:
    """Also where no input is wanted."""
    for asks in get_args(Asks):
        assert len(list(islice(request_paths("some", asks, SENTENCES, "m"), 3))) == 3
