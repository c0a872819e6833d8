"""Tests of the comparison of two versions on the same records."""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
import pytest

from db.versions.comparison import MOST_LISTED, Comparison, compare_answers
from db.versions.metric_differences import metric_difference, recall_differences
from db.versions.out_of_fold import OutOfFoldAnswers, decode_answers
from enrich.learning.quality.out_of_fold import encode_out_of_fold, pack_answers
from tests.two_versions import label_metrics, number_metrics, packed_answers

KEYS = [bytes([at]) * 16 for at in range(4)]
HAPPY, SAD = (0.9, 0.1), (0.2, 0.8)


def answers(*rows: tuple[float, ...], labels: tuple[str, ...] = ("happy", "sad")) -> bytes:
    """Return stored answers to the first keys."""
    return packed_answers(KEYS[: len(rows)], rows, labels)


def decoded(stored: bytes) -> OutOfFoldAnswers:
    """Return answers that can be read."""
    found = decode_answers(stored)
    assert found is not None
    return found


def compared(before: bytes, after: bytes, *labels: dict[str, int]) -> Comparison:
    """Return the comparison of two versions on the first keys."""
    truth = dict(zip(KEYS, labels, strict=False))
    found = compare_answers(decoded(before), decoded(after), truth)
    assert found is not None
    return found


def test_records_are_mended_and_broken() -> None:
    """A record that both get right or wrong is neither."""
    found = compared(
        answers(HAPPY, SAD, HAPPY, SAD),
        answers(HAPPY, HAPPY, SAD, SAD),
        *({"happy": 1} for _ in KEYS),
    )
    assert (found.mended_count, found.broken_count) == (1, 1)
    (mended,), (broken,) = found.mended, found.broken
    assert (mended.key, mended.before, mended.after) == (KEYS[1].hex(), "sad", "happy")
    assert (broken.label, broken.before, broken.after) == ("happy", "happy", "sad")


def test_rows_count_and_records_without_a_label_do_not() -> None:
    """A record of three rows with two labels is right for two of them."""
    found = compared(answers(SAD, SAD, SAD), answers(HAPPY, SAD, SAD), {"happy": 2, "sad": 1})
    accuracy = found.measures["teacher"]["accuracy"]
    assert (found.records, found.rows) == (1, 3)
    assert (accuracy.before, accuracy.after) == pytest.approx((1 / 3, 2 / 3))


def test_labels_have_recall_precision_and_f1() -> None:
    """They are those of a report on the same rows."""
    found = compared(
        answers(HAPPY, HAPPY, SAD),
        answers(HAPPY, SAD, SAD),
        {"happy": 1},
        {"sad": 1},
        {"sad": 1},
    )
    happy = {one.label: one for one in found.labels}["happy"]
    assert (happy.precision.before, happy.precision.after) == (0.5, 1.0)
    assert (happy.recall.before, happy.recall.after) == (1.0, 1.0)
    assert (happy.f1.before, happy.f1.after) == pytest.approx((2 / 3, 1.0))


def test_a_label_that_only_one_version_knows_can_be_compared() -> None:
    """The answer of the other to it is wrong."""
    found = compared(answers((1.0,), labels=("happy",)), answers(SAD), {"sad": 1})
    assert found.mended_count == 1


def test_numbers_are_mended_if_their_error_is_smaller() -> None:
    """They have mean errors, and no labels."""
    found = compared(
        answers((10.0,), (20.0,), labels=()),
        answers((11.0,), (27.0,), labels=()),
        {"12": 1},
        {"21": 1},
    )
    error = found.measures["teacher"]["mae"]
    assert (error.before, error.after) == (1.5, 3.5)
    assert (found.mended[0].after, found.broken[0].after) == (11.0, 27.0)
    assert found.labels == []


def test_only_the_largest_changes_are_listed() -> None:
    """The others are counted."""
    keys = [at.to_bytes(16, "big") for at in range(80)]
    old = [(0.6 - at / 200, 0.4 + at / 200) for at in range(80)]
    truth = {key: {"happy": 1} for key in keys}
    before, after = (decoded(packed_answers(keys, rows)) for rows in (old, [HAPPY] * 80))
    found = compare_answers(before, after, truth)
    assert found is not None
    assert found.mended_count > MOST_LISTED == len(found.mended)
    assert found.mended[0].key == keys[79].hex()


def test_versions_of_two_kinds_or_without_common_records_have_no_comparison() -> None:
    """There is nothing to compare."""
    of_labels, of_numbers = decoded(answers(HAPPY)), decoded(answers((1.0,), labels=()))
    assert compare_answers(of_labels, of_numbers, {KEYS[0]: {"happy": 1}}) is None
    assert compare_answers(of_labels, of_labels, {}) is None


@pytest.mark.parametrize("labels", [["a", "b", "c"], []])
def test_stored_answers_are_read_as_training_wrote_them(labels: list[str]) -> None:
    """Both sides have the same format."""
    rows = np.random.default_rng(1).random((4, max(len(labels), 1)))
    written = pack_answers(labels, KEYS, rows, rows[::-1])
    read = decoded(encode_out_of_fold(written))
    assert read.keys == KEYS
    for model in ("teacher", "student"):
        own = dict(zip(KEYS, (read.rows(model).answer(at) for at in range(4)), strict=True))
        wanted = written.answers(model)
        assert {key: found[0] or found[1] for key, found in own.items()} == wanted


def test_answers_that_are_absent_damaged_or_too_large_are_none() -> None:
    """A page then compares by metrics alone."""
    stored = answers(HAPPY, SAD)
    fields = msgspec.msgpack.decode(zlib.decompress(stored))
    short = zlib.compress(msgspec.msgpack.encode({**fields, "student": b"1234"}))
    many = zlib.compress(msgspec.msgpack.encode({**fields, "labels": ["x"] * 200_000}))
    damaged = (b"", None, b"no zlib", stored[:-6], zlib.compress(b"\xc1"), short, many)
    assert [decode_answers(one) for one in damaged] == [None] * 7
    assert decode_answers(stored, most_bytes=20) is None
    assert decode_answers(stored, most_bytes=1000) is not None


def test_metrics_alone_give_differences_with_larger_errors() -> None:
    """They take both versions as measured on different rows."""
    old, new = label_metrics([[30, 20], [20, 30]]), label_metrics([[45, 5], [5, 45]])
    found = metric_difference(old, new, "teacher")
    assert found is not None
    assert found.change == pytest.approx(0.3)
    assert found.error == pytest.approx(((0.24 + 0.09) / 100) ** 0.5)
    assert recall_differences(old, new)["sad"].after == 0.9
    numbers = metric_difference(number_metrics(5.0), number_metrics(4.0), "teacher")
    assert numbers is not None
    assert numbers.change == -1.0
    assert metric_difference(old, number_metrics(1.0), "teacher") is None
