"""Tests of predicting the rows of a file."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from sqlalchemy import select

from db.errors import DataFileError, UnknownModel, VeilleuseError
from db.files.prediction.predict_file import FilePrediction, Listener, PredictionResult
from db.files.prediction.teacher_wait import Backlog, wait_for_teacher
from db.records.dataset import Dataset
from db.records.prediction import Prediction, write_predictions
from db.records.predictor import open_predictor
from db.scoring.response_body import Answer, encode_answer
from db.spec.field import DateField, Inputs, NumberField
from db.store import tables
from db.store.store import Store
from tests.conftest import register, settings_for
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones

RENT_COLUMNS = ["prediction", "interval_low", "interval_high", "source", "model", "error"]
TONE_COLUMNS = ["prediction", "probability", "source", "model", "error"]


@pytest.fixture
def flats(store: Store) -> Dataset:
    """Return a dataset whose student is the teacher, so that its answers are final."""
    return serve_student(store, RENTS, rents())


@pytest.fixture
def moods(store: Store) -> Dataset:
    """Return a dataset with enrichers, so that the teacher may answer later."""
    return serve_student(store, TONES, tones())


Predict = Callable[..., PredictionResult]


@pytest.fixture
def predict(store: Store, database_url: str, tmp_path: Path) -> Predict:
    """Return a function that predicts a file with this content, and writes into `out`."""

    def run(dataset: Dataset, data: str | bytes | Path, **options: Any) -> PredictionResult:  # noqa: ANN401
        path = data if isinstance(data, Path) else tmp_path / "table"
        if not isinstance(data, Path):
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        settings = settings_for(database_url)
        return FilePrediction(store, settings, dataset, path, **options).write(tmp_path / "out")

    return run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the path of the output."""
    return tmp_path / "out"


def answer_to(store: Store, dataset: Dataset, inputs: Inputs) -> Answer:
    """Return the answer that everybody else gets to these inputs."""
    with store.reading() as connection:
        predictor = open_predictor(connection, dataset)
        return predictor.answers(connection, [(dataset.spec.key(inputs), inputs)])[0]


def csv_rows(text: str) -> list[dict[str, str]]:
    """Return the rows of CSV with commas."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def teach(store: Store, dataset: Dataset, inputs: Inputs, label: str, probability: float) -> None:
    """Store the teacher's prediction for these inputs."""
    other = "sad" if label != "sad" else "happy"
    answer = Answer(
        dataset=dataset.name,
        prediction=label,
        probabilities={label: probability, other: round(1 - probability, 6)},
        source="teacher",
        model=f"{dataset.name}@1",
        enrichment="done",
    )
    prediction = Prediction(
        dataset.spec.key(inputs), encode_answer(answer), "print", label, probability
    )
    with store.writing() as connection:
        write_predictions(connection, dataset.id, [prediction])


def test_a_regressions_rows_get_number_and_interval(
    store: Store, flats: Dataset, predict: Predict, out: Path
) -> None:
    """The same answers as everywhere else; the target and the row id are kept and not used."""
    text = "flat,rent,town,area\nf1,900,Lyon,55\nf2,,Paris,120.50\n"
    result = predict(flats, text)
    assert (result.rows, result.bad) == (2, 0)
    header, *lines = out.read_text().splitlines()
    assert header.split(",") == ["flat", "rent", "town", "area", *RENT_COLUMNS]
    for line, area, town in zip(lines, (55, 120.5), ("Lyon", "Paris"), strict=True):
        answer = answer_to(store, flats, {"area": area, "town": town})
        assert isinstance(answer.interval, tuple)
        cells = [answer.prediction, *answer.interval, "teacher", "rents@1", ""]
        assert line.split(",")[4:] == [str(cell) for cell in cells]


def test_a_classifications_rows_get_the_stored_answer_else_the_students(
    store: Store, moods: Dataset, predict: Predict, out: Path
) -> None:
    """The probability is that of the answer."""
    known: Inputs = {"sentence": "Je suis ravi", "town": "Lyon"}
    unseen: Inputs = {"sentence": "triste", "town": "Lyon"}
    teach(store, moods, known, "neutral", 0.625)
    predict(moods, "sentence,town\n  Je suis  ravi,Lyon\ntriste,Lyon\n")
    first, second = csv_rows(out.read_text())
    assert first["sentence"] == "  Je suis  ravi"
    assert [first[name] for name in TONE_COLUMNS] == ["neutral", "0.625", "teacher", "tones@1", ""]
    answer = answer_to(store, moods, unseen)
    assert answer.probabilities
    probability = str(answer.probabilities[str(answer.prediction)])
    expected = [answer.prediction, probability, "student", "tones@1", ""]
    assert [second[name] for name in TONE_COLUMNS] == expected


def test_bad_rows_stay_in_their_place_with_the_reason(
    flats: Dataset, predict: Predict, out: Path
) -> None:
    """A row is bad if a cell is, if cells are missing, or if it has no inputs."""
    text = "area,town,note\n55,Lyon,a\nbig,Lyon,b\n60,Lyon\n,Lyon,c\n70,Lyon,d,e\n80,Lyon,f\n"
    result = predict(flats, text)
    assert (result.rows, result.bad) == (6, 4)
    lines = out.read_text().splitlines()
    rows = csv_rows(out.read_text())
    assert [bool(row["prediction"]) for row in rows] == [True, False, False, False, False, True]
    assert [row["note"] for row in rows] == ["a", "b", "", "c", "d", "f"]
    assert rows[1]["error"] == "area: must be a number"
    assert rows[2]["error"] == "has 2 cells, the header has 3: 60, Lyon"
    assert rows[3]["error"] == "area: is missing"
    assert "has 4 cells, the header has 3" in rows[4]["error"]
    assert lines[5].endswith(",e")
    path = out.parent / "table"
    assert result.faults[0] == f"{path}:3: area: must be a number"


def test_a_row_without_any_input_is_refused_as_a_request_is(
    store: Store, predict: Predict, out: Path
) -> None:
    """All of its fields may be missing, but not together."""
    fields = {"area": NumberField(optional=True), "town": RENTS.fields["town"]}
    spec = msgspec.structs.replace(
        RENTS,
        name="optional",
        fields={**fields, "town": msgspec.structs.replace(RENTS.fields["town"], optional=True)},
    )
    dataset = serve_student(store, spec, rents())
    predict(dataset, "area,town,note\n,,nothing\n,Lyon,town\n")
    nothing, town = csv_rows(out.read_text())
    assert nothing["error"] == "area: is missing; give at least one field of optional"
    assert town["prediction"]
    assert not town["error"]


def test_cells_are_read_as_an_import_reads_them(store: Store, predict: Predict, out: Path) -> None:
    """Decimal commas, words for a missing value and dates; the cells stay as they are."""
    spec = msgspec.structs.replace(
        RENTS,
        name="german",
        decimal=",",
        missing=("k.A.",),
        fields={
            "area": NumberField(column="Fläche m²", optional=True),
            "town": RENTS.fields["town"],
            "since": DateField(order="DMY", optional=True),
        },
    )
    dataset = serve_student(store, spec, rents())
    predict(dataset, "Fläche m²;town;since\n1255,5;Lyon;31.12.2020\nk.A.;Lyon;\n")
    lines = out.read_text().splitlines()
    assert lines[1].startswith("1255,5;Lyon;31.12.2020;")
    inputs: Inputs = {"area": 1255.5, "town": "Lyon", "since": "2020-12-31"}
    answer = answer_to(store, dataset, inputs)
    assert lines[1].split(";")[3] == str(answer.prediction).replace(".", ",")
    without = answer_to(store, dataset, {"area": None, "town": "Lyon", "since": None})
    assert lines[2].split(";")[3] == str(without.prediction).replace(".", ",")


def test_a_column_that_the_file_has_already_gets_another_name(
    flats: Dataset, predict: Predict, out: Path
) -> None:
    """The file may be the output of an earlier run."""
    notes: list[str] = []
    predict(flats, "area,town\n55,Lyon\n")
    again = out.read_text()
    predict(flats, again, listener=Listener(note=notes.append))
    header, line = out.read_text().splitlines()
    assert header.split(",")[2:] == [*RENT_COLUMNS, *(f"{name}_2" for name in RENT_COLUMNS)]
    assert line.split(",")[2:8] == line.split(",")[8:]
    path = out.parent / "table"
    assert f"{path}: has a column prediction already, so the new one is named prediction_2" in notes


def test_byte_order_mark_and_line_ends_are_kept(
    flats: Dataset, predict: Predict, out: Path
) -> None:
    """Spreadsheets need the mark to read the file as UTF-8."""
    predict(flats, b"\xef\xbb\xbfarea,town\r\n55,Lyon\r\n")
    written = out.read_bytes()
    assert written.startswith(b"\xef\xbb\xbfarea,town,prediction,")
    assert written.count(b"\r\n") == written.count(b"\n") == 2


def test_a_compressed_file_gives_the_rows_of_its_content(
    flats: Dataset, predict: Predict, out: Path
) -> None:
    """The output is not compressed."""
    predict(flats, "area,town\n55,Lyon\n")
    plain = out.read_bytes()
    predict(flats, gzip.compress(b"area,town\n55,Lyon\n"))
    assert out.read_bytes() == plain


def test_json_lines_keep_the_text_of_their_members(
    flats: Dataset, predict: Predict, out: Path
) -> None:
    """Numbers stay as they are written, and what is not an object is kept in one."""
    lines = [
        '{"area": 55.0, "town": "Lyon", "id": 12345678901234567890, "x": {"y": [1.50]}}',
        "",
        '{"area":"big","town":"Lyon"}',
        "7",
        "{}",
    ]
    result = predict(flats, "\n".join(lines) + "\n")
    assert (result.rows, result.bad) == (4, 3)
    written = out.read_text().split("\n")
    assert written[0].startswith(lines[0][:-1] + ',"prediction":')
    assert written[1] == ""
    good, bad, number, empty = (json.loads(line) for line in written if line)
    assert list(good)[4:] == RENT_COLUMNS
    assert good["error"] is None
    assert (bad["prediction"], bad["error"]) == (None, "area: must be a number")
    assert (number["row"], number["error"]) == (7, "is not a JSON object")
    assert empty["error"] == "area: is missing"


@pytest.mark.parametrize(
    "text",
    [
        '[{"area": 55.0,\n  "town": "Lyon"}, {"area": 5}, 7]',
        '{"count": 2, "rows": [{"area": 55.0,\n  "town": "Lyon"}, {"area": 5}]}',
    ],
)
def test_an_array_becomes_json_lines(
    flats: Dataset, predict: Predict, out: Path, text: str
) -> None:
    """Each row is on one line."""
    predict(flats, text)
    first, second, *rest = out.read_text().splitlines()
    assert first.startswith('{"area": 55.0,   "town": "Lyon","prediction":')
    assert json.loads(second)["error"] == "town: is missing"
    assert [json.loads(line)["row"] for line in rest] == ([7] if text[0] == "[" else [])


def test_json_with_a_member_of_an_answers_name_gets_another_name(
    flats: Dataset, predict: Predict, out: Path
) -> None:
    """The names are the same in all lines."""
    text = '{"area":5,"town":"Lyon","model":null}\n{"area":5,"town":"Lyon","error":{"x":1}}\n'
    predict(flats, text)
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert (first["error_2"], "error" in first) == (None, False)
    assert (second["error_2"], second["error"]) == (None, {"x": 1})
    assert (first["model"], first["model_2"], second["model_2"]) == (None, "rents@1", "rents@1")


def parquet_table() -> pa.Table:
    """Return a table with types that text does not have."""
    return pa.table(
        {
            "area": pa.array([55.0, None, 70.25]),
            "town": pa.array(["Lyon", "Paris", "Lyon"]).dictionary_encode(),
            "price": pa.array([Decimal("1.10"), None, Decimal("2.00")], pa.decimal128(9, 2)),
            "tags": pa.array([["a"], [], None]),
            "at": pa.array([1, 2, None], pa.timestamp("ms", "UTC")),
        }
    )


def test_parquet_keeps_its_types_and_values(
    store: Store, flats: Dataset, predict: Predict, out: Path, tmp_path: Path
) -> None:
    """The answers are further columns."""
    path = tmp_path / "table.parquet"
    pq.write_table(parquet_table(), path)
    result = predict(flats, path)
    assert (result.rows, result.bad) == (3, 1)
    written = pq.read_table(out)
    assert written.select(range(5)) == parquet_table()
    assert written.column_names[5:] == RENT_COLUMNS
    answer = answer_to(store, flats, {"area": 55, "town": "Lyon"})
    assert isinstance(answer.interval, tuple)
    assert [written.column(name)[0].as_py() for name in RENT_COLUMNS] == [
        answer.prediction,
        *answer.interval,
        "teacher",
        "rents@1",
        None,
    ]
    assert written.column("error")[1].as_py() == "area: is missing"


def test_a_spreadsheet_becomes_csv(
    flats: Dataset, predict: Predict, out: Path, tmp_path: Path
) -> None:
    """Excel is read and not written."""
    book = Workbook()
    sheet = book.create_sheet("flats", 0)
    for row in (["area", "town", "note"], [55, "Lyon", "a, b"], [60, "Paris", None]):
        sheet.append(row)
    book.save(tmp_path / "table.xlsx")
    predict(flats, tmp_path / "table.xlsx")
    first, second = csv_rows(out.read_text())
    assert (first["area"], first["note"], second["note"]) == ("55", "a, b", "")
    assert first["prediction"]
    assert second["prediction"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("given", ["csv", "jsonl", "parquet"])
def test_each_format_can_become_another(
    flats: Dataset, predict: Predict, out: Path, tmp_path: Path, given: str, kind: str
) -> None:
    """The rows and the answers are the same in all of them."""
    path = tmp_path / "given"
    if given == "parquet":
        pq.write_table(pa.table({"area": [55.5, 60.0], "town": ["Lyon", "Paris"]}), path)
    elif given == "csv":
        path.write_text("area,town\n55.5,Lyon\n60.0,Paris\n")
    else:
        path.write_text('{"area":55.5,"town":"Lyon"}\n{"area":60.0,"town":"Paris"}\n')
    predict(flats, path, output_format=kind)
    if kind == "csv":
        rows: list[dict[str, Any]] = [dict(row) for row in csv_rows(out.read_text())]
    elif kind == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        rows = pq.read_table(out).to_pylist()
    assert [list(row) for row in rows] == [["area", "town", *RENT_COLUMNS]] * 2
    assert [float(row["area"]) for row in rows] == [55.5, 60]
    assert [float(row["prediction"]) > 0 for row in rows] == [True, True]
    assert [row["town"] for row in rows] == ["Lyon", "Paris"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour,size\nred,1\nblue,2\n", "has none of the columns of rents: area, town; it has"),
        ("Area,town\n1,Lyon\n", "has the column Area, but rents reads area"),
        ("area,size\n1,Lyon\n", "has no column town, which rents needs for each prediction"),
        ("area,town\n1,Lyon\n" * 400 + '1,"x', "a quotation mark is opened and never closed"),
        ("", "is empty"),
        ("[]", "has no rows"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_no_output(
    flats: Dataset, predict: Predict, out: Path, text: str, message: str
) -> None:
    """The error names the file, and an earlier output stays."""
    out.write_text("earlier")
    with pytest.raises(DataFileError) as caught:
        predict(flats, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(out.parent / "table"))
    assert "\n" not in str(caught.value)
    assert out.read_text() == "earlier"
    assert sorted(path.name for path in out.parent.iterdir() if "part" in path.name) == []


def test_a_dataset_without_a_model_is_refused(store: Store, predict: Predict) -> None:
    """The message says how to get one."""
    with pytest.raises(UnknownModel, match="run: python -m enrich train rents"):
        predict(register(store, RENTS), "area,town\n1,Lyon\n")


def test_the_file_itself_is_not_overwritten(
    flats: Dataset, store: Store, database_url: str, tmp_path: Path
) -> None:
    """Its rows would be gone if the machine stopped at the wrong moment."""
    path = tmp_path / "table.csv"
    path.write_text("area,town\n1,Lyon\n")
    prediction = FilePrediction(store, settings_for(database_url), flats, path)
    with pytest.raises(DataFileError, match="is the file that is read"):
        prediction.write(path)
    with pytest.raises(DataFileError, match="is the name of a compressed file"):
        prediction.write(tmp_path / "out.csv.gz")
    assert path.read_text() == "area,town\n1,Lyon\n"


def requested(store: Store) -> list[tuple[str, bool, str]]:
    """Return inputs, mark and origin of all records."""
    record = tables.record.c
    with store.reading() as connection:
        rows = connection.execute(select(record.inputs, record.asked, record.origin))
        return sorted(
            (row[0] if isinstance(row[0], str) else bytes(row[0]).decode(), bool(row[1]), row[2])
            for row in rows
        )


def test_nothing_is_remembered_unless_asked(store: Store, moods: Dataset, predict: Predict) -> None:
    """Unseen inputs become requested records, each once; those with a stored answer do not."""
    teach(store, moods, {"sentence": "ravi", "town": "Lyon"}, "happy", 0.9)
    text = "sentence,town\nravi,Lyon\ntriste,Lyon\ntriste,Lyon\n,Lyon\nneuf,Paris\n"
    predict(moods, text)
    assert requested(store) == []
    assert predict(moods, text, remembers=True).recorded == 2
    assert [(json.loads(inputs)["sentence"], *rest) for inputs, *rest in requested(store)] == [
        ("neuf", True, "request"),
        ("triste", True, "request"),
    ]


def test_an_input_is_recorded_once_though_it_is_in_several_blocks(
    moods: Dataset, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was requested before is not counted."""
    monkeypatch.setattr("db.files.prediction.tables.csv_table.BLOCK_CHARACTERS", 20)
    text = "sentence,town\n" + "triste,Lyon\nravi,Lyon\n" * 20
    assert predict(moods, text, remembers=True).recorded == 2
    assert predict(moods, f"{text}neuf,Lyon\n", remembers=True).recorded == 1


def test_several_processes_write_what_one_writes(
    flats: Dataset,
    predict: Predict,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the same order."""
    monkeypatch.setattr("db.files.prediction.predict_file._ROWS_PER_JOB", 10)
    monkeypatch.setattr("db.files.prediction.tables.csv_table.BLOCK_CHARACTERS", 500)
    text = "area,town\n" + "".join(f"{n},{'Lyon' if n % 3 else ''}\n" for n in range(500))
    alone = predict(flats, text, jobs=1)
    first = out.read_bytes()
    together = predict(flats, text, jobs=2)
    assert out.read_bytes() == first
    assert alone == together
    assert (together.rows, together.bad, len(together.faults)) == (500, 167, 20)


def test_waiting_ends_when_no_record_waits(store: Store, moods: Dataset) -> None:
    """Without records there is nothing to wait for, and no worker is needed."""
    wait_for_teacher(store, moods.name, pytest.fail, lambda backlog: pytest.fail(str(backlog)))


def test_waiting_without_a_worker_says_what_to_run(
    store: Store, database_url: str, moods: Dataset, tmp_path: Path
) -> None:
    """At once, and again when no worker has appeared."""
    path = tmp_path / "table.csv"
    path.write_text("sentence,town\ntriste,Lyon\n")
    prediction = FilePrediction(store, settings_for(database_url), moods, path)
    assert prediction.remember().recorded == 1
    notes: list[str] = []
    seen: list[Backlog] = []
    with pytest.raises(VeilleuseError, match="run: python -m enrich once tones"):
        wait_for_teacher(store, moods.name, notes.append, seen.append, worker_seconds=0)
    assert "no worker is running; run: python -m enrich once tones" in notes[0]
