"""Users' columns may have the names of ours: in files, in a spec and in the export."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from db.errors import SpecError
from db.files.exporter import export_csv
from db.files.importer import import_files
from db.records.listings.listing import list_records
from db.records.listings.listing_filter import ListingFilter
from db.settings import Settings
from db.spec.toml_file import RESERVED_NAMES, read_spec
from db.store.store import Store
from serve.pages.records.listing_output import as_csv
from tests.conftest import register, run_command

LISTED = ("key", "answer", "score", "held_out", "origin", "issue", "group", "labels")


def write_table(path: Path, columns: tuple[str, ...], target: str) -> Path:
    """Write a table of 40 rows of numbers whose last column is the target."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, target])
        for number in range(40):
            cells = [(number * (at + 3)) % 17 + 0.5 for at in range(len(columns))]
            writer.writerow([*cells, sum(cells) + number])
    return path


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        (("area", *sorted(RESERVED_NAMES)), "rent"),
        (("area", "answer", "score", "origin", "group", "labels", "prediction_2"), "prediction"),
        (("area", "size"), "key"),
    ],
)
def test_a_table_with_columns_of_our_names_is_inferred_loaded_and_exported(
    store: Store, settings: Settings, tmp_path: Path, columns: tuple[str, ...], target: str
) -> None:
    """No header has a name twice, and the user's columns keep theirs for the next import."""
    table, toml = write_table(tmp_path / "flats.csv", columns, target), tmp_path / "flats.toml"
    options = ("--target", target, "--name", "flats", "--out", str(toml))
    done = run_command(settings.database_url, "db", "infer", str(table), *options)
    assert done.code == 0, done.err
    dataset = register(store, read_spec(toml))
    assert not import_files(store, dataset, [table]).faults
    out = io.StringIO()
    assert export_csv(store, dataset, out) == 40
    header = out.getvalue().splitlines()[0].split(",")
    used = {field.column or name for name, field in dataset.spec.fields.items()}
    assert used | {target} <= set(header)
    assert len(set(header)) == len(header)
    with store.reading() as connection:
        page = list_records(connection, dataset.id, ListingFilter(), regression=True)
    listed = b"".join(as_csv(dataset.spec, [page.rows])).decode().splitlines()[0].split(",")
    assert len(set(listed)) == len(listed)
    assert len(listed) == len(dataset.spec.fields) + 1 + len(LISTED)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_field_with_a_name_of_ours_is_refused_with_what_to_write(
    tmp_path: Path, name: str
) -> None:
    """Another name for the field, and the column's own name beside it."""
    file = tmp_path / "flats.toml"
    fields = f'[fields.{name}]\ntype = "number"\n'
    file.write_text(f'name = "flats"\nkind = "regression"\ntarget = "rent"\n{fields}', "utf-8")
    with pytest.raises(SpecError, match=f'name the column: column = "{name}"'):
        read_spec(file)
