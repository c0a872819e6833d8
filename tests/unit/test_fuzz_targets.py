"""The parsers that `make fuzz` tries for long: their seeds are read, and some mutations of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.errors import VeilleuseError
from tests.fuzz.target import FuzzTarget, NotOneLine, try_bytes
from tests.fuzz.targets.all_targets import TARGETS

# These take long for each input, and have tests of their own: a process for each file.
SLOW = {"parquet", "excel"}
QUICK = [target for name, target in TARGETS.items() if name not in SLOW]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_parser_reads_or_refuses_its_seeds(target: FuzzTarget) -> None:
    """Some seed is accepted, or their mutations would all be refused early."""
    assert {try_bytes(target, seed) for seed in target.seeds} & {True}


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.parametrize("target", QUICK, ids=lambda target: target.name)
def test_a_parser_reads_or_refuses_mutations_of_its_seeds(
    target: FuzzTarget, data: st.DataObject
) -> None:
    """`make fuzz` tries millions; these show that the parsers are still called as they must be."""
    seed = data.draw(st.sampled_from(target.seeds))
    at = data.draw(st.integers(0, len(seed)))
    cut = data.draw(st.integers(0, 8))
    try_bytes(target, seed[:at] + data.draw(st.binary(max_size=8)) + seed[at + cut :])


def _refuse(data: bytes) -> None:
    raise VeilleuseError(data.decode())


def test_a_refusal_of_two_lines_or_without_words_is_a_finding() -> None:
    """Such a message would break the line of a terminal or of a log."""
    target = FuzzTarget("refusal", _refuse, [])
    assert not try_bytes(target, b"line 1: has no name")
    for message in (b"line 1:\nhas no name", b"\x1b[31mred", b"long" * 600):
        with pytest.raises(NotOneLine):
            try_bytes(target, message)
