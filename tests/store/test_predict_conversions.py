"""Tests of predictions in another format than that of their file: no cell is lost."""

from __future__ import annotations

import csv
import gc
import io
import json
import sys
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from db.errors import DataFileError
from db.files.prediction.predict_file import (
    FilePrediction,
    Listener,
    OutputFormat,
    PredictionResult,
)
from db.records.dataset import Dataset
from db.store.store import Store
from tests.conftest import settings_for
from tests.hand_made_student import RENTS, rents, serve_student


@pytest.fixture
def flats(store: Store) -> Dataset:
    """Return a dataset whose student is the teacher."""
    return serve_student(store, RENTS, rents())


class Run:
    """Predicts files in a folder."""

    def __init__(self, store: Store, url: str, folder: Path) -> None:
        self._store = store
        self._settings = settings_for(url)
        self.path = folder / "table"
        self.folder = folder

    def __call__(
        self,
        dataset: Dataset,
        text: str,
        out: str = "out",
        output_format: OutputFormat | None = None,
        listener: Listener = Listener(),  # noqa: B008  it has no state
    ) -> PredictionResult:
        """Predict a file with this text; an empty text stands for the file that is there.

        Without a name, the output is standard output.
        """
        if text:
            self.path.write_text(text)
        prediction = FilePrediction(
            self._store, self._settings, dataset, self.path, output_format, listener=listener
        )
        return prediction.write(self.folder / out if out else None)

    def csv(self, out: str = "out") -> list[dict[str, str]]:
        """Return the rows of the output."""
        return list(csv.DictReader(io.StringIO((self.folder / out).read_text(), newline="")))


@pytest.fixture
def run(store: Store, database_url: str, tmp_path: Path) -> Run:
    """Return what predicts a file."""
    return Run(store, database_url, tmp_path)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_cells_right_of_the_header_are_kept(flats: Dataset, run: Run, kind: OutputFormat) -> None:
    """The row is bad, and its cells stand beside the reason."""
    run(flats, "area,town\n55,Lyon\n60,Paris,x,,y\n", output_format=kind)
    written = run.folder / "out"
    if kind == "parquet":
        rows = pq.read_table(written).to_pylist()
    else:
        rows = [json.loads(line) for line in written.read_text().splitlines()]
    assert (rows[0].get("column_3"), rows[0]["error"]) == (None, None)
    assert [rows[1][name] for name in ("area", "town", "column_3", "column_5")] == [
        *("60", "Paris", "x", "y")
    ]
    assert "has 5 cells, the header has 2" in rows[1]["error"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_bad_rows_of_json_keep_their_values(flats: Dataset, run: Run, kind: OutputFormat) -> None:
    """What is not an object is in the column row, and half a character is a question mark."""
    lines = [
        '{"area": 55, "town": "Lyon"}',
        "7",
        '{"area": 60, "a": {"b": 1}, "a.b": 2}',
        '{"area": 65, "town": "\\ud800", "\\udfff": 1}',
    ]
    result = run(flats, f"[{','.join(lines)}]", output_format=kind)
    assert (result.rows, result.bad) == (4, 3)
    rows = run.csv() if kind == "csv" else pq.read_table(run.folder / "out").to_pylist()
    assert (rows[1]["row"], rows[1]["error"]) == ("7", "is not a JSON object")
    assert [rows[2][name] for name in ("area", "a", "a.b")] == ["60", '{"b":1}', "2"]
    assert [rows[3][name] for name in ("area", "town", "?")] == ["65", "?", "1"]
    assert "half a character" in rows[3]["error"]


def test_own_numbers_have_the_decimal_mark_of_the_added_ones(store: Store, run: Run) -> None:
    """The file is read again by the same spec."""
    dataset = serve_student(store, msgspec.structs.replace(RENTS, decimal=","), rents())
    rows = '[{"area": 55.5, "town": "Lyon"}, {"area": "5.5", "town": "Lyon"}]'
    run(dataset, rows, output_format="csv")
    number, text = run.csv()
    assert number["area"] == "55,5"
    assert "." not in number["prediction"]
    assert text["area"] == "5.5"
    run(dataset, rows, output_format="parquet")
    assert pq.read_table(run.folder / "out").column("area")[0].as_py() == "55,5"


def test_the_name_of_the_output_chooses_its_format(flats: Dataset, run: Run) -> None:
    """An option comes first."""
    text = "area,town\n55,Lyon\n"
    run(flats, text, "out.parquet")
    assert pq.read_table(run.folder / "out.parquet").num_rows == 1
    run(flats, text, "out.jsonl")
    assert json.loads((run.folder / "out.jsonl").read_text())["town"] == "Lyon"
    run(flats, text, "out.txt")
    assert (run.folder / "out.txt").read_text().startswith("area,town,")
    run(flats, text, "out.parquet", output_format="csv")
    assert (run.folder / "out.parquet").read_text().startswith("area,town,")


def test_parquet_keeps_columns_with_one_name(flats: Dataset, run: Run) -> None:
    """The first of them is read, and both are written as they are; blocks become one row group."""
    area = pa.array([55.0] * 20)
    table = pa.Table.from_arrays([area, area, pa.array(["Lyon"] * 20)], ["area", "area", "town"])
    pq.write_table(table, run.path, row_group_size=5)
    assert run(flats, "").bad == 0
    written = pq.ParquetFile(run.folder / "out")
    assert written.schema_arrow.names[:3] == ["area", "area", "town"]
    assert written.metadata.num_row_groups == 1
    assert written.read().column(1).to_pylist() == area.to_pylist()


def test_an_error_ends_parquet_at_once(
    flats: Dataset,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    """Python does not try to write the file's end when it removes what is left of the writer.

    Nor has standard output a file with a part of the rows.
    """
    later: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", later.append)

    def stop(rows: int) -> None:
        raise DataFileError(f"stopped after {rows} rows")

    text = "area,town\n55,Lyon\n"
    with pytest.raises(DataFileError, match="stopped after 1 rows"):
        run(flats, text, "out.parquet", listener=Listener(advance=stop))
    with pytest.raises(DataFileError, match="stopped after 1 rows"):
        run(flats, text, "", "parquet", listener=Listener(advance=stop))
    gc.collect()
    assert later == []
    assert capsysbinary.readouterr().out == b"PAR1"
    assert not (run.folder / "out.parquet").exists()
