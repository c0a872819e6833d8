"""Files of users: tables to import, drafts of datasets, and specs."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import openpyxl
import pyarrow as pa
from pyarrow import parquet

from db.errors import InputError, SpecError
from db.files.infer import describe_inference, infer_dataset
from db.files.prediction.input_table import check_not_empty, opened_table
from db.files.reader import open_source
from db.spec.stored_spec import decode_spec, encode_spec
from db.spec.toml_file import read_spec
from tests.conftest import ROOT
from tests.fuzz.specs import EVERY_KIND
from tests.fuzz.target import FuzzTarget

_ROWS: list[dict[str, str | int | None]] = [
    {"flat": "A-1", "size": "1,234.5", "rooms": 3, "town": "Lyon", "day": "2026-01-31"},
    {"flat": "A-2", "size": "40", "rooms": None, "town": "=1+1", "day": "31.12.2025"},
    {"flat": "é\u0301", "size": "1e3", "rooms": 1, "town": 'a,b\n"c"', "day": "May 1, 2024"},
]
_CSV = "flat,size,rooms,town,day,price\n" + "".join(
    f'A-{n},"1,23{n}.5",{n},Lyon,2026-01-{n:02},{n * 100}\n' for n in range(1, 30)
)


def _in_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return a function that reads bytes from a file, which it deletes afterwards."""

    def read_bytes(data: bytes) -> object:
        with tempfile.NamedTemporaryFile(suffix=suffix, prefix="fuzz-") as file:
            file.write(data)
            file.flush()
            return read(Path(file.name))

    return read_bytes


def _read_rows(path: Path) -> None:
    """Read a file as an import does."""
    with open_source(path) as source:
        source.layout()
        for row in source.rows():
            if row.fault:
                continue
            with suppress(InputError):
                EVERY_KIND.pick_inputs(row.values)
                EVERY_KIND.pick_label(row.values)
                EVERY_KIND.pick_row_id(row.values)


def _read_to_predict(path: Path) -> None:
    """Read a file as `db predict` does."""
    with opened_table(path, EVERY_KIND) as table:
        check_not_empty(table, path)
        for block, _ in table.blocks(None):
            for row in table.shape.rows(block):
                assert row is not None


def _infer(path: Path) -> None:
    """Draft a dataset, and read the draft as `db load` does."""
    try:
        inferred = infer_dataset(path, "price")
    except SpecError as error:
        raise AssertionError(f"a draft that cannot be loaded: {error}") from error
    assert all("\n" not in line for line in describe_inference(inferred))


def _workbook() -> bytes:
    stream = io.BytesIO()
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(_ROWS[0]))
    for row in _ROWS:
        sheet.append(list(row.values()))
    book.save(stream)
    return stream.getvalue()


def _parquet() -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(_ROWS), stream)
    return stream.getvalue()


_JSON = json.dumps(_ROWS).encode()
_LINES = b"\n".join(json.dumps(row).encode() for row in _ROWS)
_SPECS = [path.read_bytes() for path in sorted((ROOT / "datasets").glob("*.toml"))]


def _read_stored(data: bytes) -> object:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SpecError("a store keeps text") from None
    return decode_spec(text)


CSV = FuzzTarget("csv", _in_file(".csv", _read_rows), [_CSV.encode(), _CSV.encode("utf-16")])
JSON = FuzzTarget("json", _in_file(".json", _read_rows), [_JSON, _LINES])
COMPRESSED = FuzzTarget(
    "compressed", _in_file(".csv.gz", _read_rows), [gzip.compress(_CSV.encode(), mtime=0)]
)
EXCEL = FuzzTarget("excel", _in_file(".xlsx", _read_rows), [_workbook()])
PARQUET = FuzzTarget("parquet", _in_file(".parquet", _read_rows), [_parquet()])
INFER = FuzzTarget("infer", _in_file(".csv", _infer), [_CSV.encode(), _LINES])
TOML = FuzzTarget("toml", _in_file(".toml", read_spec), _SPECS)
STORED_SPEC = FuzzTarget("stored_spec", _read_stored, [encode_spec(EVERY_KIND).encode()])
