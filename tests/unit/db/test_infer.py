"""A dataset's file as it is drafted from a data file."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import DataFileError, InputError
from db.files.infer import InferredDataset, infer_dataset
from db.files.reader import read_rows
from db.spec.field import BooleanField, ChoiceField, IntegerField, NumberField, TextField

ROWS = 60
TOWNS = ("Lille", "Lyon", "Paris")
FRENCH = "\ufeffN°;Surface (m²);Ville;Étage;Visite;Meublé;Annonce;Loyer (€)\r\n"


def french_row(number: int) -> str:
    """Return a row as a French spreadsheet writes it."""
    floor = "" if number % 7 == 0 else number % 5
    notice = f"Un appartement pour vous avec vue sur le parc, dans la rue {number}"
    return (
        f"{number};{number},5;{TOWNS[number % 3]};{floor};{number % 28 + 1:02d}/03/2025;"
        f'{"NA" if number % 4 == 0 else "oui"};"{notice}";1 {number + 100},25\r\n'
    )


@pytest.fixture
def french(tmp_path: Path) -> Path:
    """Give a table with semicolons, decimal commas, a byte order mark, gaps and dates."""
    file = tmp_path / "Mes loyers.csv"
    file.write_text(FRENCH + "".join(map(french_row, range(1, ROWS + 1))), "utf-8", newline="")
    return file


def inferred(tmp_path: Path, text: str, target: str) -> InferredDataset:
    """Return the draft of a small table."""
    file = tmp_path / "table.csv"
    file.write_text(text, "utf-8")
    return infer_dataset(file, target)


def test_a_french_table_becomes_a_dataset_that_reads_every_row_of_it(french: Path) -> None:
    """Without a person's help, whatever its marks and headers are."""
    spec = infer_dataset(french, "Loyer (€)").spec
    assert (spec.name, spec.kind, spec.decimal, spec.languages) == (
        "mes-loyers",
        "regression",
        ",",
        ("fr",),
    )
    rows = [row.values for row in read_rows(french)]
    inputs = [spec.pick_inputs(row) for row in rows]
    assert inputs[0]["surface_m2"] == 1.5
    assert spec.pick_label(rows[0]) == "1101.25"
    assert len(inputs) == ROWS


def test_each_column_is_the_narrowest_kind_that_all_of_it_is(french: Path) -> None:
    """What is missing somewhere gets a default that a person can see."""
    found = infer_dataset(french, "Loyer (€)")
    fields = found.spec.fields
    kinds = {name: type(field) for name, field in fields.items()}
    assert kinds == {
        "surface_m2": NumberField,
        "Ville": ChoiceField,
        "etage": IntegerField,
        "meuble": ChoiceField,
        "Annonce": TextField,
    }
    assert fields["Ville"] == ChoiceField(choices=TOWNS, example="Lyon")
    assert fields["etage"].default == 2
    assert fields["meuble"].default == "unknown"
    assert found.unused == {
        "N°": "only identifies the rows",
        "Visite": "contains dates; to use them, add a column such as the month",
    }
    assert "# Not used: Visite contains dates" in found.text


def test_numbers_of_which_there_are_few_are_classes_and_many_are_amounts(tmp_path: Path) -> None:
    """As a person would take them."""
    rows = "".join(f"{number / 10},{number % 3},{number * 7}\n" for number in range(60))
    few = inferred(tmp_path, f"x,class,price\n{rows}", "class").spec
    many = inferred(tmp_path, f"x,class,price\n{rows}", "price").spec
    assert (few.kind, few.labels) == ("classification", ("0", "1", "2"))
    assert (many.kind, many.labels) == ("regression", ())


def test_truths_are_boolean_and_negative_numbers_have_no_limit(tmp_path: Path) -> None:
    """Limits refuse: they stand where a person would have put them."""
    rows = "".join(f"{number - 30}.5,{number % 2 == 0},{number % 2}\n" for number in range(60))
    fields = inferred(tmp_path, f"change,is_new,y\n{rows}", "y").spec.fields
    assert isinstance(fields["is_new"], BooleanField)
    assert fields["change"] == NumberField(example=-0.5)


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("a,b\n1,2\n", "c", "has no column c; it has a, b"),
        ("a,b\n", "b", "has no rows"),
        ("a,b\n1,2\n2,2\n", "b", "there is nothing to predict"),
        ("a,b\n1,2\n1,3\n", "b", "has no column to predict b from"),
        (
            "a,b\n" + "".join(f"{n % 9},name {n}\n" for n in range(90)),
            "b",
            "has 90 different values that are not numbers",
        ),
    ],
)
def test_a_table_that_nothing_can_be_learnt_from_is_refused(
    tmp_path: Path, text: str, target: str, words: str
) -> None:
    """With what is wrong with it."""
    with pytest.raises(DataFileError, match=words):
        inferred(tmp_path, text, target)


def test_what_a_file_says_for_nothing_is_nothing_and_an_empty_text_is_still_refused(
    tmp_path: Path,
) -> None:
    """A default stands for the one; the other is somebody's mistake in a JSON file."""
    rows = "".join(f"{'NA' if n % 5 == 0 else n % 3},{n % 2}\n" for n in range(60))
    spec = inferred(tmp_path, f"size,y\n{rows}", "y").spec
    assert spec.pick_inputs({"size": "NA"}) == {"size": 1}
    assert spec.pick_label({"y": "NA"}) is None
    with pytest.raises(InputError, match="must be a number"):
        spec.pick_inputs({"size": ""})


def test_columns_with_one_name_in_ascii_are_two_fields(tmp_path: Path) -> None:
    """Neither takes the other's values."""
    rows = "".join(f"{n},{n * 2 + n % 5},{n % 2}\n" for n in range(0, 300, 7))
    spec = inferred(tmp_path, f"prix (€),prix ($),y\n{rows}", "y").spec
    assert list(spec.fields) == ["prix", "prix_2"]
    assert spec.pick_inputs({"prix (€)": "7", "prix ($)": "16"}) == {"prix": 7, "prix_2": 16}


def test_a_word_that_says_nothing_is_no_reason_to_call_numbers_text(tmp_path: Path) -> None:
    """However it is written; another one is asked about."""
    for word in ("n/a", "NA", "#N/A", "null"):
        file = tmp_path / "table.csv"
        rows = "".join(f"{number}.5,{number * 2}\n" for number in range(40))
        file.write_text(f"size,price\n{rows}{word},7\n", "utf-8")
        inferred = infer_dataset(file, "price")
        assert isinstance(inferred.spec.fields["size"], NumberField)
        assert inferred.spec.missing == (word,)
        assert inferred.warnings == []
    file.write_text(f"size,price\n{rows}keine,7\n", "utf-8")
    warned = infer_dataset(file, "price")
    assert isinstance(warned.spec.fields["size"], TextField)
    assert "40 of 41 cells are numbers but 'keine' is not" in warned.warnings[0]
    told = infer_dataset(file, "price", missing=["keine"])
    assert isinstance(told.spec.fields["size"], NumberField)


def test_a_target_that_is_nearly_a_column_is_asked_about(tmp_path: Path) -> None:
    """Names match to the letter."""
    file = tmp_path / "table.csv"
    file.write_text("size,Price\n1,2\n2,3\n", "utf-8")
    with pytest.raises(DataFileError, match="did you mean Price"):
        infer_dataset(file, "price")


def test_a_comma_that_may_end_a_thousand_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """The cell 2,728 was once stored as 2.728 where 950 stayed 950."""
    rows = "".join(f'{n},"{n % 9 + 1},{n + 100}",{n * 3}\n' for n in range(90))
    words = r"price: 1,100 can be 1\.100 or 1100; write its numbers with a decimal point"
    with pytest.raises(DataFileError, match=words):
        inferred(tmp_path, f"size,price,y\n{rows}990,950,3\n", "y")
    with pytest.raises(DataFileError, match="price: 1,100 can be"):
        inferred(tmp_path, f"size,price,y\n{rows}", "price")


def test_one_cell_that_has_a_decimal_comma_tells_how_its_column_is_written(tmp_path: Path) -> None:
    """Three decimals are ambiguous alone, and not beside two."""
    rows = "".join(f"{n % 9 + 1},{n + 100};{n}\n" for n in range(90))
    spec = inferred(tmp_path, f"share;y\n{rows}3,25;7\n", "y").spec
    assert spec.pick_inputs({"share": "1,100"}) == {"share": 1.1}


def test_a_point_that_may_end_a_thousand_is_refused_beside_decimal_commas(tmp_path: Path) -> None:
    """In such a file 1.234 is more likely a whole number."""
    rows = "".join(f"{n},5;{n % 9 + 1}.{n + 100};{n}\n" for n in range(90))
    with pytest.raises(DataFileError, match=r"people: 1\.100 can be 1\.100 or 1100"):
        inferred(tmp_path, f"share;people;y\n{rows}", "y")
    rows = "".join(f"{n},5;{n}\n" for n in range(90))
    spec = inferred(tmp_path, f"share;y\n{rows}", "y").spec
    with pytest.raises(
        InputError, match=r"share: 1\.234 can be a decimal number or a whole number"
    ):
        spec.pick_inputs({"share": "1.234"})
