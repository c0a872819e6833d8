"""One table in each format of files makes one store: the same keys, labels and row ids."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from sqlalchemy import select

from db.files.importer import import_files
from db.files.infer import infer_dataset
from db.spec.dataset_spec import DatasetSpec
from db.store import tables
from db.store.store import Store
from tests.conftest import register

ROWS = 60
LARGE = 2**53 + 1
NAMES = ("id", "code", "zip", "day", "at", "price", "rooms", "garden", "note", "town", "rent")


def row(number: int) -> dict[str, Any]:
    """Return a row with a value of each type, and gaps."""
    n = number
    texts = ("flat", 'says "hi",\nand more', "é — 日本", "semi;colon, comma", "it's two\n\nlines")
    return {
        "id": LARGE + 2 * n,
        "code": 2**60 + n % 3,
        "zip": f"{n % 4:05}",
        "day": date(2024, 1, 1) + timedelta(days=n) if n % 7 else None,
        "at": datetime(2024, 1, 1, 8, 30) + timedelta(minutes=37 * n),  # noqa: DTZ001
        "price": Decimal(n * 12345 + 7).scaleb(-2) if n % 5 else None,
        "rooms": n % 6 if n % 11 else None,
        "garden": n % 3 == 0,
        "note": f"{texts[n % 5]} of number {n}",
        "town": ("Lyon", "Saint-Étienne", "Nîmes")[n % 3] if n % 13 else None,
        "rent": round(500 + n * 7.13, 2),
    }


TABLE = [row(number) for number in range(ROWS)]


def plain(value: object) -> object:
    """Return a value as it is in JSON: whole numbers that JSON does not lose are numbers."""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value) if isinstance(value, date | Decimal) else value


def cell(value: object) -> str:
    """Return a value as it is in CSV."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(plain(value))


def csv_text() -> str:
    """Return the table as CSV."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerows([NAMES, *([cell(each[name]) for name in NAMES] for each in TABLE)])
    return file.getvalue()


def write_json_lines(path: Path) -> None:
    """Write an object for each row, with null where a value is missing."""
    lines = (json.dumps({name: plain(each[name]) for name in NAMES}) for each in TABLE)
    path.write_text("\n".join(lines), "utf-8")


def write_excel(path: Path) -> None:
    """Write a sheet; a spreadsheet keeps numbers of more than 15 digits only as text."""
    sheet = Workbook().active
    assert sheet is not None
    sheet.append(NAMES)
    for each in TABLE:
        sheet.append([str(each[name]) if name in {"id", "code"} else each[name] for name in NAMES])
    assert sheet.parent is not None
    sheet.parent.save(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "csv": lambda path: path.write_text(csv_text(), "utf-8"),
    "csv.gz": lambda path: path.write_bytes(gzip.compress(csv_text().encode())),
    "jsonl": write_json_lines,
    "parquet": lambda path: pq.write_table(pa.Table.from_pylist(TABLE), path),
    "xlsx": write_excel,
}
OTHERS = [name for name in WRITERS if name != "csv"]


def write(folder: Path, ending: str) -> Path:
    """Write the table and return its path."""
    path = folder / f"flats.{ending}"
    WRITERS[ending](path)
    return path


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Return the spec as `infer` drafts it from CSV."""
    return infer_dataset(write(tmp_path_factory.mktemp("csv"), "csv"), "rent").spec


def stored(store: Store, spec: DatasetSpec, path: Path) -> list[tuple[object, ...]]:
    """Import a file into a new dataset, and return the inputs, key, label and id of each row."""
    dataset = register(store, spec)
    result = import_files(store, dataset, [path])
    assert (result.faults, result.rows) == ([], ROWS)
    found = (
        select(
            tables.record.c.key,
            tables.record.c.inputs,
            tables.observation.c.label,
            tables.observation.c.row_id,
        )
        .join(tables.observation, tables.observation.c.record_id == tables.record.c.id)
        .where(tables.record.c.dataset_id == dataset.id)
    )
    with store.reading() as connection:
        return sorted(map(tuple, connection.execute(found)), key=repr)


@pytest.mark.parametrize("ending", OTHERS)
def test_each_format_of_a_table_makes_the_same_store(
    store: Store, tmp_path: Path, spec: DatasetSpec, ending: str
) -> None:
    """Dates, gaps, large whole numbers, decimals, booleans, line breaks and leading zeros too."""
    expected = stored(store, spec, write(tmp_path, "csv"))
    other = msgspec.structs.replace(spec, name="other")
    assert stored(store, other, write(tmp_path, ending)) == expected
    assert len({row[-1] for row in expected}) == ROWS


@pytest.mark.parametrize("ending", OTHERS)
def test_infer_drafts_the_same_spec_from_each_format(
    tmp_path: Path, spec: DatasetSpec, ending: str
) -> None:
    """So each of these files can be imported by the spec of another one."""
    assert infer_dataset(write(tmp_path, ending), "rent").spec == spec


def test_the_table_has_a_field_of_each_type(spec: DatasetSpec) -> None:
    """The other tests would show nothing if the columns were read as texts."""
    kinds = {name: type(field).__name__ for name, field in spec.fields.items()}
    assert (spec.id, spec.kind) == ("id", "regression")
    assert kinds == {
        "code": "ChoiceField",
        "zip": "ChoiceField",
        "day": "DateField",
        "at": "DatetimeField",
        "price": "NumberField",
        "rooms": "NumberField",
        "garden": "BooleanField",
        "note": "TextField",
        "town": "ChoiceField",
    }
