"""Tests of the inputs that the benchmark sends."""

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


def sent_inputs(asks: Asks, rows: list[Inputs], count: int = 400) -> list[dict[str, str]]:
    """Return the first inputs that the benchmark sends."""
    paths = islice(request_paths("some", asks, rows, "m"), count)
    return [
        {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        for path in paths
    ]


def as_text(rows: list[Inputs]) -> list[dict[str, str]]:
    """Return the rows as a query string carries them: every value is text."""
    return [{name: str(value) for name, value in row.items()} for row in rows]


def test_known_inputs_are_unchanged_rows() -> None:
    """The store then has an answer for each of them."""
    assert all(sent in as_text(SENTENCES) for sent in sent_inputs("known", SENTENCES))


@pytest.mark.parametrize("rows", [SENTENCES, CUSTOMERS])
def test_unseen_inputs_are_not_in_the_rows(rows: list[Inputs]) -> None:
    """They have the same fields as the rows."""
    for sent in sent_inputs("unseen", rows):
        assert sent not in as_text(rows)
        assert sent.keys() == rows[0].keys()


def test_unseen_sentences_never_repeat() -> None:
    """The response cache would answer a repeated sentence."""
    sentences = [sent["sentence"] for sent in sent_inputs("unseen", SENTENCES)]
    assert len(set(sentences)) == len(sentences)


def test_every_other_mixed_input_is_known() -> None:
    """Half of the load is known, half of it is not."""
    is_known = [sent in as_text(SENTENCES) for sent in sent_inputs("mixed", SENTENCES)]
    assert is_known == [True, False] * (len(is_known) // 2)


def test_random_inputs_stay_within_the_values_of_each_field() -> None:
    """Integers stay whole, and choices come from the list."""
    for sent in sent_inputs("random", CUSTOMERS):
        assert 20 <= int(sent["age"]) <= 59
        assert sent["education"] in {"PhD", "Master"}
        assert 1000.5 <= float(sent["income"]) <= 1039.5


def test_every_kind_of_load_has_request_paths() -> None:
    """Health checks, which need no input, have paths as well."""
    for asks in get_args(Asks):
        assert len(list(islice(request_paths("some", asks, SENTENCES, "m"), 3))) == 3
