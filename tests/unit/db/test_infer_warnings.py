"""Tests of what `infer` asks a person to look at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from db.files.draft.label_check import check_labels
from db.files.draft.row_sample import RowSample
from db.files.infer import infer_dataset


def warnings_of(tmp_path: Path, header: str, rows: list[str], target: str) -> list[str]:
    """Return the warnings about a small table."""
    file = tmp_path / "table.csv"
    file.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return infer_dataset(file, target).warnings


def test_a_column_that_alone_tells_the_label_is_reported(tmp_path: Path) -> None:
    """An empty cell can tell it as well as a word."""
    rows = [f"{n * 37 % 50},{'called us' if n % 3 else ''},{n % 3 > 0}" for n in range(90)]
    (warning,) = warnings_of(tmp_path, "visits,reason,cancelled", rows, "cancelled")
    assert warning.startswith("reason: tells the target alone (100 % of 90 rows); remove it if")


def test_a_column_that_alone_tells_the_number_is_reported(tmp_path: Path) -> None:
    """The only input is not, because something must tell the target."""
    rows = [f"{n * 37 % 101},{n % 7},{n * 37 % 101 * 31 + 5}" for n in range(90)]
    found = warnings_of(tmp_path, "area,floor,price", rows, "price")
    assert [warning.split(":")[0] for warning in found] == ["area"]
    alone = [row.split(",")[0] + "," + row.split(",")[2] for row in rows]
    assert warnings_of(tmp_path, "area,price", alone, "price") == []


def test_ordinary_columns_are_not_reported(tmp_path: Path) -> None:
    """A column that often tells the label is what one wants."""
    rows = [f"{n % 7},{'ab'[n % 2]},{'xy'[n % 2 if n % 5 else 0]}" for n in range(200)]
    assert warnings_of(tmp_path, "size,kind,y", rows, "y") == []


def test_a_column_with_hardly_more_than_one_value_is_reported(tmp_path: Path) -> None:
    """It is used all the same."""
    rows = [f"{n % 7},{'m' if n == 3 else 'k'},{n % 3 % 2}" for n in range(300)]
    assert warnings_of(tmp_path, "size,kind,y", rows, "y") == [
        "kind: 299 of 300 rows have the value 'k', so little can be learned from it"
    ]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"Yes": 50, "yes": 20, "Y": 9, "no": 60}, "'Yes' (50), 'yes' (20), 'Y' (9) may be one"),
        ({"Café": 20, "cafe": 30}, "'Café' (20), 'cafe' (30) may be one label"),
        ({"severe": 90, "sevre": 5, "minor": 90}, "'severe' (90), 'sevre' (5) may be one label"),
        ({"yes": 98, "no": 2}, "98 of 100 rows have the label 'yes'"),
        ({"a": 50, "b": 50, "c": 3}, "labels with fewer than 5 rows are hard to learn: 'c' (3)"),
        ({str(n): 1 for n in range(9)}, "has 9 labels in 9 rows"),
    ],
)
def test_suspicious_labels_are_reported(labels: dict[str, int], words: str) -> None:
    """They may be spelled in several ways, or have too few rows."""
    assert any(words in warning for warning in check_labels(Counter(labels)))


@pytest.mark.parametrize(
    "labels",
    [
        ("A", "AB", "B", "0"),
        ("topic 1", "topic 2", "topic 10"),
        ("none", "minor", "severe"),
        ("+", "-"),
    ],
)
def test_ordinary_labels_are_not_reported(labels: tuple[str, ...]) -> None:
    """Short codes and numbered labels begin alike."""
    assert list(check_labels(Counter(dict.fromkeys(labels, 30)))) == []


def test_the_sample_of_rows_is_bounded_and_fair() -> None:
    """Rows at the end of a long file are as likely in it as those at the beginning."""
    sample = RowSample()
    for number in range(20_000):
        sample.add({"n": number})
    numbers = [int(row["n"]) for row in sample.rows]
    assert len(numbers) == len(set(numbers)) == 5_000
    assert sample.is_partial
    assert 0.2 < sum(number >= 15_000 for number in numbers) / 5_000 < 0.3


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["Total,2400,24000"], "line 42 (Total, 2400, 24000) looks like a total"),
        (["Summe,1,24000"], "line 42 (Summe, 1, 24000) looks like a total"),
        ([",,24000"], "line 42 (24000) looks like a total"),
        (["Lyon,7,1580"], "line 42 (Lyon, 7, 1580) looks like a total"),
        (["Lyon,7,24000"], ""),
    ],
)
def test_a_row_that_sums_up_the_others_is_reported(
    tmp_path: Path, rows: list[str], words: str
) -> None:
    """It says so, or its target is the sum."""
    table = [f"{'Paris' if n % 2 else 'Lyon'},{n % 9},{n * 7 % 40 + 20}" for n in range(40)]
    found = warnings_of(tmp_path, "town,area,rent", [*table, *rows], "rent")
    assert (
        any(warning.startswith(words) for warning in found)
        if words
        else not any("total" in warning for warning in found)
    )


def test_a_total_between_the_rows_is_larger_than_they_are(tmp_path: Path) -> None:
    """Else it is a brand."""
    rows = [f"{('Elf', 'Shell')[n % 2]},{n % 9},{n * 7 % 40 + 20}" for n in range(40)]
    header, words = "brand,area,rent", "looks like a total"
    for name, number, is_total in (("Total", 33, False), ("Subtotal 2", 700, True)):
        found = warnings_of(
            tmp_path, header, [*rows[:20], f"{name},4,{number}", *rows[20:]], "rent"
        )
        assert any(words in warning for warning in found) == is_total
    brands = [f"Total,{n % 9},{n * 11 % 40 + 20}" for n in range(5)]
    found = warnings_of(tmp_path, header, [*rows[:20], *brands, *rows[20:]], "rent")
    assert not any(words in warning for warning in found)


def test_choices_in_two_cases_are_reported(tmp_path: Path) -> None:
    """TRUE and 1 are the same answer, too."""
    towns, truths = ("Lyon", "lyon", "Paris"), ("TRUE", "0", "1", "FALSE")
    rows = [f"{towns[n % 3]},{truths[n * 7 % 4]},{n % 5 % 2}" for n in range(60)]
    assert warnings_of(tmp_path, "town,paid,y", rows, "y") == [
        "town: 'Lyon' (20), 'lyon' (20) may be one choice; write it in one way",
        "paid: 'TRUE' (15), '1' (15) may be one choice; write it in one way",
        "paid: 'FALSE' (15), '0' (15) may be one choice; write it in one way",
    ]


def test_a_word_such_as_average_may_be_a_value(tmp_path: Path) -> None:
    """It then stands in several rows."""
    rows = [f"{('Average', 'Good')[n % 2]},{n % 7},{n % 3 % 2}" for n in range(61)]
    assert warnings_of(tmp_path, "condition,size,y", rows, "y") == []


def test_what_grows_with_time_is_no_leak(tmp_path: Path) -> None:
    """Neighbours in a series are alike."""
    rows = [f"{1950 + n},{n * 37 % 50},{n * n / 7}" for n in range(60)]
    assert warnings_of(tmp_path, "year,size,y", rows, "y") == []
    smooth = [f"{n},{n * 37 % 50},{abs(30 - n)}.5" for n in range(60)]
    shuffled = [smooth[n * 7 % 60] for n in range(60)]
    assert warnings_of(tmp_path, "x,size,y", shuffled, "y") == []


def test_a_name_that_does_not_prove_an_id_is_reported(tmp_path: Path) -> None:
    """Rows with the same id replace each other."""
    rows = [f"A-{n * 7919},{n * 37 % 50},{n % 2}" for n in range(60)]
    assert warnings_of(tmp_path, "who,size,y", rows, "y") == [
        (
            "who: is taken for the row id, so importing a row with the same who replaces it; if it"
            " is not an id, choose another type, or remove the line id in the dataset file"
        )
    ]
