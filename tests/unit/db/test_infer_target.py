"""Tests of what is to be predicted, as it is inferred from a data file."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.files.infer import infer_dataset

from .test_infer import infer_table, table_of


def test_few_different_numbers_are_classes_and_many_are_amounts(tmp_path: Path) -> None:
    """A person would read both columns in the same way."""
    rows = "".join(f"{number / 10},{number % 3},{number * 7}\n" for number in range(60))
    few = infer_table(tmp_path, f"x,class,price\n{rows}", "class").spec
    many = infer_table(tmp_path, f"x,class,price\n{rows}", "price").spec
    assert (few.kind, few.labels) == ("classification", ("0", "1", "2"))
    assert (many.kind, many.labels) == ("regression", ())


def test_classes_that_pandas_wrote_as_floats_are_classes(tmp_path: Path) -> None:
    """A gap in a column of whole numbers turns them into floats."""
    rows = [f"{n * n},{('0.0', '1.0', '')[n % 3]}" for n in range(60)]
    inferred = infer_table(tmp_path, table_of("x,y", rows), "y")
    assert (inferred.spec.kind, inferred.spec.labels) == ("classification", ("0.0", "1.0"))


def test_a_target_in_percent_is_a_regression(tmp_path: Path) -> None:
    """The sign is a part of the column's format."""
    rows = [f"{n * n},{n} %" for n in range(60)]
    spec = infer_table(tmp_path, table_of("x,y", rows), "y").spec
    assert (spec.kind, spec.target_format) == ("regression", "1234.5 %")
    assert spec.pick_label({"y": "93 %"}) == "93.0"


@pytest.mark.parametrize("count", [41, 150])
def test_many_labels_that_repeat_are_learned(tmp_path: Path, count: int) -> None:
    """Up to 100 of them are listed, so that a misspelt one is refused."""
    rows = [f"{n % 17},topic t{n % count}" for n in range(3 * count)]
    spec = infer_table(tmp_path, table_of("x,topic", rows), "topic").spec
    assert spec.kind == "classification"
    assert len(spec.labels) == (41 if count == 41 else 0)


def test_words_such_as_none_are_labels_and_others_are_missing(tmp_path: Path) -> None:
    """Rows whose label was the word "none" once lost it."""
    words = ("none", "NA", "n/a", "severe", "?", "#N/A", "NULL", "NaN", "")
    rows = [f"{n * n},{words[n % 9]}" for n in range(90)]
    inferred = infer_table(tmp_path, table_of("speed,injury", rows), "injury")
    assert inferred.spec.labels == ("NA", "none", "severe")
    assert inferred.spec.target_missing == ("n/a", "?", "#N/A", "NULL", "NaN")
    assert "injury: ? is taken for a missing value, so 10 rows have nothing to learn from" in (
        inferred.warnings
    )
    assert (
        "injury: NA is kept as a label (10 rows); if it means no label, add target_missing ="
        ' ["NA"]' in inferred.warnings
    )
    assert inferred.spec.pick_label({"injury": "none"}) == "none"
    assert inferred.spec.pick_label({"injury": "?"}) is None


@pytest.mark.parametrize(
    ("words", "labels", "missing", "kept"),
    [
        (("0", "1", "-999", "-1"), ("-1", "0", "1"), ("-999",), "-1"),
        (("0", "1", "9"), ("0", "1", "9"), (), "9"),
        (("1", "2", "3", "4", "5", "99"), ("1", "2", "3", "4", "5"), ("99",), ""),
        (("yes", "no", ".", "N/A"), ("no", "yes"), (".", "N/A"), ""),
        (("+", "-"), ("+", "-"), (), ""),
        (("-1", "1"), ("-1", "1"), (), ""),
    ],
)
def test_codes_for_no_label_are_told_from_classes(
    tmp_path: Path, words: tuple[str, ...], labels: tuple[str, ...], missing: object, kept: str
) -> None:
    """A rating from 1 to 5 is no amount because of the code 99."""
    rows = [f"{n * 7 % 31},{words[n % len(words)]}" for n in range(60)]
    inferred = infer_table(tmp_path, table_of("x,y", rows), "y")
    assert (inferred.spec.labels, inferred.spec.target_missing) == (labels, missing)
    is_kept = [f"y: {kept} is kept as a label" in warning for warning in inferred.warnings]
    assert any(is_kept) == bool(kept)


def test_many_whole_numbers_that_repeat_may_be_classes(tmp_path: Path) -> None:
    """They are amounts until a person says otherwise."""
    rows = [f"{n * 7 % 31},{n % 20}" for n in range(400)]
    inferred = infer_table(tmp_path, table_of("x,y", rows), "y")
    assert inferred.spec.kind == "regression"
    assert inferred.warnings == [
        (
            "y: has 20 different whole numbers, which are predicted as amounts; if they are labels,"
            ' write kind = "classification"'
        )
    ]


def test_a_target_that_is_mostly_a_word_is_a_regression(tmp_path: Path) -> None:
    """Few blood tests are done."""
    rows = [f"{n * 7 % 31},{n * 3 if n % 4 == 0 else 'not tested'}" for n in range(60)]
    spec = infer_table(tmp_path, table_of("x,y", rows), "y").spec
    assert (spec.kind, spec.target_missing) == ("regression", ("not tested",))


@pytest.mark.parametrize("label", ["reject", "1"])
def test_a_word_for_missing_is_the_second_label_if_there_is_no_other(
    tmp_path: Path, label: str
) -> None:
    """Half of the rows would teach nothing, and the others would have one label."""
    file = tmp_path / "rows.csv"
    rows = [f"{n * 7 % 40},{'null' if n % 2 else label}" for n in range(40)]
    file.write_text("\n".join(["a,y", *rows]), encoding="utf-8")
    inferred = infer_dataset(file, "y")
    assert inferred.spec.labels == tuple(sorted([label, "null"]))
    assert not inferred.spec.target_missing
    assert inferred.spec.pick_label({"y": "null"}) == "null"
    assert inferred.warnings[0].startswith("y: null is kept as a label (20 rows); if it means no")
