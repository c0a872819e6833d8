"""Tests of the dataset file that is inferred from a data file."""

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
    """Return a table with semicolons, decimal commas, a byte order mark, gaps and dates."""
    file = tmp_path / "Mes loyers.csv"
    file.write_text(FRENCH + "".join(map(french_row, range(1, ROWS + 1))), "utf-8", newline="")
    return file


def infer_table(tmp_path: Path, text: str, target: str) -> InferredDataset:
    """Return the dataset that is inferred from a small table."""
    file = tmp_path / "table.csv"
    file.write_text(text, "utf-8")
    return infer_dataset(file, target)


def test_a_dataset_inferred_from_a_french_table_reads_every_row(french: Path) -> None:
    """The user need not edit it, whatever the headers and the characters are."""
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


def test_each_column_gets_the_narrowest_type_that_fits_all_its_cells(french: Path) -> None:
    """A column with missing cells gets a default that the user can see."""
    inferred = infer_dataset(french, "Loyer (€)")
    fields = inferred.spec.fields
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
    assert inferred.unused == {
        "N°": "only identifies the rows",
        "Visite": "contains dates; to use them, add a column such as the month",
    }
    assert "# Not used: Visite contains dates" in inferred.text


def test_few_different_numbers_are_classes_and_many_are_amounts(tmp_path: Path) -> None:
    """A person would read both columns in the same way."""
    rows = "".join(f"{number / 10},{number % 3},{number * 7}\n" for number in range(60))
    few = infer_table(tmp_path, f"x,class,price\n{rows}", "class").spec
    many = infer_table(tmp_path, f"x,class,price\n{rows}", "price").spec
    assert (few.kind, few.labels) == ("classification", ("0", "1", "2"))
    assert (many.kind, many.labels) == ("regression", ())


def test_true_and_false_are_boolean_and_negative_numbers_have_no_limit(tmp_path: Path) -> None:
    """A limit refuses inputs, so it is inferred only where a person would set one."""
    rows = "".join(f"{number - 30}.5,{number % 2 == 0},{number % 2}\n" for number in range(60))
    fields = infer_table(tmp_path, f"change,is_new,y\n{rows}", "y").spec.fields
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
    """The error says what is wrong with the table."""
    with pytest.raises(DataFileError, match=words):
        infer_table(tmp_path, text, target)


def test_a_missing_value_gets_the_default_and_an_empty_text_is_refused(
    tmp_path: Path,
) -> None:
    """An empty text in a JSON file is a mistake, not a missing value."""
    rows = "".join(f"{'NA' if n % 5 == 0 else n % 3},{n % 2}\n" for n in range(60))
    spec = infer_table(tmp_path, f"size,y\n{rows}", "y").spec
    assert spec.pick_inputs({"size": "NA"}) == {"size": 1}
    assert spec.pick_label({"y": "NA"}) is None
    with pytest.raises(InputError, match="must be a number"):
        spec.pick_inputs({"size": ""})


def test_columns_with_the_same_name_in_ascii_are_two_fields(tmp_path: Path) -> None:
    """Each field keeps its own values."""
    rows = "".join(f"{n},{n * 2 + n % 5},{n % 2}\n" for n in range(0, 300, 7))
    spec = infer_table(tmp_path, f"prix (€),prix ($),y\n{rows}", "y").spec
    assert list(spec.fields) == ["prix", "prix_2"]
    assert spec.pick_inputs({"prix (€)": "7", "prix ($)": "16"}) == {"prix": 7, "prix_2": 16}


def test_a_word_for_missing_values_does_not_turn_numbers_into_text(tmp_path: Path) -> None:
    """Common words are recognized; any other word causes a warning."""
    for word in ("n/a", "NA", "#N/A", "null"):
        file = tmp_path / "table.csv"
        rows = "".join(f"{number}.5,{number * 2}\n" for number in range(40))
        file.write_text(f"size,price\n{rows}{word},7\n", "utf-8")
        accepted = infer_dataset(file, "price")
        assert isinstance(accepted.spec.fields["size"], NumberField)
        assert accepted.spec.missing == (word,)
        assert accepted.warnings == []
    file.write_text(f"size,price\n{rows}keine,7\n", "utf-8")
    warned = infer_dataset(file, "price")
    assert isinstance(warned.spec.fields["size"], TextField)
    assert "40 of 41 cells are numbers but 'keine' is not" in warned.warnings[0]
    corrected = infer_dataset(file, "price", missing=["keine"])
    assert isinstance(corrected.spec.fields["size"], NumberField)


def test_a_misspelled_target_suggests_the_column(tmp_path: Path) -> None:
    """Column names must match exactly."""
    file = tmp_path / "table.csv"
    file.write_text("size,Price\n1,2\n2,3\n", "utf-8")
    with pytest.raises(DataFileError, match="did you mean Price"):
        infer_dataset(file, "price")


def test_an_ambiguous_thousands_comma_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Earlier code stored the cell 2,728 as 2.728 but the cell 950 as 950."""
    rows = "".join(f'{n},"{n % 9 + 1},{n + 100}",{n * 3}\n' for n in range(90))
    words = r"price: 1,100 can be 1\.100 or 1100; write its numbers with a decimal point"
    with pytest.raises(DataFileError, match=words):
        infer_table(tmp_path, f"size,price,y\n{rows}990,950,3\n", "y")
    with pytest.raises(DataFileError, match="price: 1,100 can be"):
        infer_table(tmp_path, f"size,price,y\n{rows}", "price")


def test_one_clear_decimal_comma_decides_for_its_column(tmp_path: Path) -> None:
    """Three decimals are ambiguous alone, but not next to a cell with two decimals."""
    rows = "".join(f"{n % 9 + 1},{n + 100};{n}\n" for n in range(90))
    spec = infer_table(tmp_path, f"share;y\n{rows}3,25;7\n", "y").spec
    assert spec.pick_inputs({"share": "1,100"}) == {"share": 1.1}


def test_an_ambiguous_point_is_refused_next_to_decimal_commas(tmp_path: Path) -> None:
    """In such a file, 1.234 is more likely an integer."""
    rows = "".join(f"{n},5;{n % 9 + 1}.{n + 100};{n}\n" for n in range(90))
    with pytest.raises(DataFileError, match=r"people: 1\.100 can be 1\.100 or 1100"):
        infer_table(tmp_path, f"share;people;y\n{rows}", "y")
    rows = "".join(f"{n},5;{n}\n" for n in range(90))
    spec = infer_table(tmp_path, f"share;y\n{rows}", "y").spec
    with pytest.raises(
        InputError, match=r"share: 1\.234 can be a decimal number or a whole number"
    ):
        spec.pick_inputs({"share": "1.234"})
