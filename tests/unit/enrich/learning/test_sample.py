"""Tests of the size of the sample that training works on, by the memory that is free."""

from __future__ import annotations

import pytest

from enrich.learning.sample import DatasetSize, describe_sample, sample_size

GIB = 2**30


def test_a_table_that_fits_memory_is_used_as_a_whole() -> None:
    """A million records of ten columns take some two gigabytes."""
    dataset = DatasetSize(records=1_000_000, columns=10)
    assert sample_size(dataset, 4 * GIB, None) == 1_000_000
    assert 200_000 < sample_size(dataset, GIB, None) < 500_000


@pytest.mark.parametrize(("characters", "most"), [(1000, 10_000), (10_000, 1000)])
def test_long_texts_make_the_sample_smaller(characters: int, most: int) -> None:
    """The features of a text of a thousand characters take more than a hundred kilobytes."""
    without = sample_size(DatasetSize(1_000_000, 1), GIB, None)
    assert without > 900_000
    assert most / 3 < sample_size(DatasetSize(1_000_000, 1, characters), GIB, None) < most


@pytest.mark.parametrize(("wanted", "size"), [(50, 50), (2_000_000, 1_000_000)])
def test_the_size_that_is_wanted_is_taken_whatever_memory_is_free(wanted: int, size: int) -> None:
    """The user may know better; there are never more than all."""
    assert sample_size(DatasetSize(1_000_000, 10, 1000), 1000, wanted) == size


def test_the_sentence_about_a_sample_says_what_all_records_would_need() -> None:
    """It names the option that changes the size."""
    dataset = DatasetSize(records=1_000_000, columns=10, characters=1000)
    words = describe_sample("rooms", dataset, 4000, GIB)
    assert words.startswith(
        "rooms: training on all 1,000,000 records needs some 141.7 GiB, and 1.0"
    )
    assert words.endswith("a fair sample of 4,000; choose another size with --sample")
