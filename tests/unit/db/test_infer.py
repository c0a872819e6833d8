"""Tests of the dataset file that is inferred from a data file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from db.errors import DataFileError
from db.files.draft.dataset_toml import slug
from db.files.draft.table import read_table
from db.files.infer import InferredDataset, describe_inference, infer_dataset
from db.files.reader import open_source, read_rows
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, ChoiceField, DateField, NumberField, TextField
from db.spec.toml_file import check_spec

ROWS = 60
TOWNS = ("Lille", "Lyon", "Paris")
FRENCH = "\ufeffN°;Surface (m²);Ville;Étage;Visite;Meublé;Annonce;Loyer (€)\r\n"


def french_row(number: int) -> str:
    """Return a row as a French spreadsheet writes it."""
    floor = "" if number % 7 == 0 else number % 5
    notice = f"Un appartement pour vous avec vue sur le parc, dans la rue {number}"
    return (
        f"{number};{number * 7 % 61},5;{TOWNS[number % 3]};{floor};{number % 28 + 1:02d}/03/2025;"
        f'{"NA" if number % 4 == 0 else "oui"};"{notice}";1 {number + 100},25\r\n'
    )


@pytest.fixture
def french(tmp_path: Path) -> Path:
    """Return a table with semicolons, decimal commas, a byte order mark, gaps and dates."""
    file = tmp_path / "Mes loyers.csv"
    file.write_text(FRENCH + "".join(map(french_row, range(1, ROWS + 1))), "utf-8", newline="")
    return file


def test_rows_that_bring_ever_more_columns_are_refused(tmp_path: Path) -> None:
    """Eight MB of them took 860 MiB of memory."""
    file = tmp_path / "keys.jsonl"
    file.write_text("".join(f'{{"k{number}": 1, "label": "x"}}\n' for number in range(20)), "utf-8")
    with open_source(file) as source, pytest.raises(DataFileError, match="more than 10 columns"):
        read_table(source, most_columns=10)


def infer_table(tmp_path: Path, text: str, target: str, *missing: str) -> InferredDataset:
    """Return the dataset that is inferred from a small table."""
    file = tmp_path / "table.csv"
    file.write_text(text, "utf-8")
    return infer_dataset(file, target, missing=missing)


def table_of(header: str, rows: list[str]) -> str:
    """Return the text of a table."""
    return "\n".join([header, *rows]) + "\n"


def test_a_dataset_inferred_from_a_french_table_reads_every_row(french: Path) -> None:
    """The user need not edit it, whatever the headers and the characters are."""
    inferred = infer_dataset(french, "Loyer (€)")
    spec = inferred.spec
    assert (spec.name, spec.kind, spec.target_format, spec.languages) == (
        "mes-loyers",
        "regression",
        "1 234,5",
        ("fr",),
    )
    assert (spec.decimal, spec.missing) == (".", ())
    assert (spec.id, spec.id_column) == ("n", "N°")
    rows = [row.values for row in read_rows(french)]
    inputs = [spec.pick_inputs(row) for row in rows]
    assert inputs[0]["surface_m2"] == 7.5
    assert inputs[0]["Visite"] == "2025-03-02"
    assert inputs[6]["etage"] is None
    assert spec.pick_label(rows[0]) == "1101.25"
    assert len(inputs) == ROWS


def test_each_column_gets_the_type_that_fits_its_cells(french: Path) -> None:
    """Whole numbers are numbers too, without limits, so that no request is refused for them."""
    inferred = infer_dataset(french, "Loyer (€)")
    fields = inferred.spec.fields
    assert {name: type(field) for name, field in fields.items()} == {
        "surface_m2": NumberField,
        "Ville": ChoiceField,
        "etage": NumberField,
        "Visite": DateField,
        "meuble": ChoiceField,
        "Annonce": TextField,
    }
    assert fields["Ville"] == ChoiceField(choices=TOWNS, example="Lyon", optional=True)
    assert isinstance(fields["Visite"], DateField)
    assert fields["Visite"].order == "DMY"
    assert all(field.optional and field.default is None for field in fields.values())
    assert list(inferred.spec.enrichers) == ["text_profile", "embedding"]


def test_the_output_has_a_line_for_each_column(tmp_path: Path) -> None:
    """It says the type, the gaps, the different values, and why a column is not used."""
    rows = [f"{1000 + n},{n % 7 if n % 10 else ''},same,{'ab'[n % 2]}" for n in range(40)]
    inferred = infer_table(tmp_path, table_of("Order No,age,unit,y", rows), "y")
    assert list(describe_inference(inferred)) == [
        "  y:        labels to predict, 2 distinct",
        "  Order No: id, one per row, so it identifies rows and is not learned from",
        "  age:      number, 4 of 40 missing, 7 distinct",
        "  unit:     not used, has the same value in every row",
    ]
    age = next(column for column in inferred.columns if column.name == "age")
    assert (age.field, age.type, age.missing, age.distinct) == ("age", "number", 4, "7")
    assert "# Not used: unit has the same value in every row" in inferred.text
    assert 'type = "number"  # 4 of 40 missing, 7 distinct' in inferred.text


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("a,b\nx,2\n", "c", "has no column c; it has a, b"),
        ("a,b\n", "b", "has no rows"),
        ("a,b\n1,2\n2,2\n", "b", "there is nothing to predict"),
        ("a,b\n1,2\n1,3\n", "b", "has no column to predict b from: a has the same value"),
        (
            "a,b\n" + "".join(f"{n % 9},name {n}\n" for n in range(90)),
            "b",
            "has 90 different values that are not numbers",
        ),
        (
            "a,b\n" + "".join(f"{n % 9},2024-01-{n % 28 + 1:02}\n" for n in range(90)),
            "b",
            "b contains dates, which cannot be predicted",
        ),
        ("a,b\n" + "".join(f"{n % 9},{'xy'[n % 2] * 300}\n" for n in range(9)), "b", "a label of"),
    ],
)
def test_a_table_that_nothing_can_be_learnt_from_is_refused(
    tmp_path: Path, text: str, target: str, words: str
) -> None:
    """The error says what is wrong with the table."""
    with pytest.raises(DataFileError, match=words):
        infer_table(tmp_path, text, target)


def test_a_word_of_the_user_means_missing_in_every_column(tmp_path: Path) -> None:
    """The target is one of them."""
    rows = [
        f"{'zz' if n % 5 == 0 else n},{'zz' if n % 7 == 0 else 'ab'[n % 2]},"
        f"{'zz' if n % 9 == 0 else ['no', 'yes'][n % 2]}"
        for n in range(90)
    ]
    spec = infer_table(tmp_path, table_of("a,b,y", rows), "y", "zz").spec
    assert [field.missing for field in spec.fields.values()] == [("zz",), ("zz",)]
    assert (spec.target_missing, spec.labels) == (("zz",), ("no", "yes"))
    assert spec.pick_inputs({"a": "zz", "b": "a"}) == {"a": None, "b": "a"}


def test_a_single_input_must_be_given(tmp_path: Path) -> None:
    """A row without any input says nothing."""
    spec = infer_table(tmp_path, table_of("x,y", [f"{n * n},{n % 2}" for n in range(40)]), "y").spec
    assert spec.required == ("x",)


def test_columns_with_the_same_name_in_ascii_are_two_fields(tmp_path: Path) -> None:
    """Each field keeps its own values."""
    rows = "".join(f"{n * n},{n * 2 + n % 5},{n % 2}\n" for n in range(0, 300, 7))
    spec = infer_table(tmp_path, f"prix (€),prix ($),y\n{rows}", "y").spec
    assert list(spec.fields) == ["prix", "prix_2"]
    assert spec.pick_inputs({"prix (€)": "7", "prix ($)": "16"}) == {"prix": 7, "prix_2": 16}


def test_letters_without_an_accent_to_lose_stay_in_a_name() -> None:
    """Normalization takes only the accents away."""
    assert [slug(name) for name in ("Größe", "Værelser", "Łódź")] == ["grosse", "vaerelser", "lodz"]


def test_a_reserved_name_gets_a_suffix_and_keeps_its_column(tmp_path: Path) -> None:
    """A field must not hide a member of the answer, or an enricher."""
    rows = [f"{'pq'[n % 2]},{n % 3},{n % 5},{n % 2}" for n in range(60)]
    fields = infer_table(tmp_path, table_of("model,key,embedding,y", rows), "y").spec.fields
    assert {name: field.column for name, field in fields.items()} == {
        "model_column": "model",
        "key_column": "key",
        "embedding_column": "embedding",
    }


def test_a_misspelled_target_suggests_the_column(tmp_path: Path) -> None:
    """Column names must match exactly."""
    with pytest.raises(DataFileError, match="did you mean Price"):
        infer_table(tmp_path, "size,Price\n1,2\n2,3\n", "price")


def test_a_file_in_which_no_cell_is_text_is_inferred(tmp_path: Path) -> None:
    """JSON has numbers, true and false of its own, and may leave a value out."""
    file = tmp_path / "rows.json"
    rows = [{"a": n / 2, "b": n % 2 == 0, "y": n % 3, "late": n} for n in range(60)]
    for row in rows[:10]:
        del row["late"]
    file.write_bytes(msgspec.json.encode(rows))
    inferred = infer_dataset(file, "y")
    assert isinstance(inferred.spec.fields["b"], BooleanField)
    assert inferred.spec.labels == ("0", "1", "2")
    assert next(each.missing for each in inferred.columns if each.name == "late") == 10
    assert inferred.spec.pick_inputs({"a": 1.5, "b": True}) == {"a": 1.5, "b": True, "late": None}


def test_the_text_is_a_valid_file_whatever_the_cells_contain(tmp_path: Path) -> None:
    """Quotation marks, backslashes, line ends and unusual characters are escaped."""
    words = ('"quoted"', "back\\slash", "two\u2028lines", "del\x7f", "#hash", "'''")
    rows = [{"wo\nrd": words[n % 6], "n": n * n, "y": words[n % 2]} for n in range(60)]
    file = tmp_path / "rows.json"
    file.write_bytes(msgspec.json.encode(rows))
    inferred = infer_dataset(file, "y")
    spec = msgspec.convert(tomllib.loads(inferred.text), DatasetSpec)
    check_spec(spec)
    assert spec == inferred.spec
    assert set(spec.labels) == set(words[:2])


def test_the_reader_s_notes_are_shown(tmp_path: Path) -> None:
    """What was understood specially stands above the columns."""
    rows = [f"{n * n};{n % 2}" for n in range(40)]
    inferred = infer_table(tmp_path, table_of("sep=;\nx;y", rows), "y")
    assert next(describe_inference(inferred)) == inferred.notes[0]
    assert "delimiter" in inferred.notes[0]


def test_the_only_input_may_be_missing_where_it_has_gaps(tmp_path: Path) -> None:
    """Import once refused the rows with the gaps."""
    rows = [f"{n * n if n % 5 else ''},{n % 2}" for n in range(40)]
    spec = infer_table(tmp_path, table_of("x,y", rows), "y").spec
    assert (spec.required, spec.pick_inputs({"x": ""})) == ((), {"x": None})


def test_a_table_of_ids_alone_keeps_its_row_id(tmp_path: Path) -> None:
    """The others are all there is to learn from."""
    rows = [f"{n},A-{n * 7919},{n % 2}" for n in range(40)]
    inferred = infer_table(tmp_path, table_of("id,code,y", rows), "y")
    assert (inferred.spec.id, list(inferred.spec.fields)) == ("id", ["code"])
    assert "code: only identifies the rows, but the table has nothing else" in inferred.warnings[-1]


def test_the_month_is_first_in_all_dates_of_a_file(tmp_path: Path) -> None:
    """One column shows it for the others."""
    rows = [f"{n % 12 + 1}/{n % 28 + 1}/2023,{n % 12 + 1}/5/2023,{n % 2}" for n in range(60)]
    inferred = infer_table(tmp_path, table_of("ordered,shipped,y", rows), "y")
    fields = inferred.spec.fields
    assert [getattr(field, "order", "") for field in fields.values()] == ["MDY", "MDY"]
    assert inferred.spec.pick_inputs({"ordered": "2/3/2023", "shipped": "4/5/2023"}) == {
        "ordered": "2023-02-03",
        "shipped": "2023-04-05",
    }
    assert inferred.warnings == []
