"""The job "predict": the rows of a file with their predictions, in the format that it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from db.files.prediction.predict_file import FilePrediction, Listener
from db.files.reader import first_character, format_of
from db.records.dataset import find_dataset

from .job_work import JobWork

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")


def predict_rows(work: JobWork) -> dict[str, Any]:
    """Write the job's output; return its name, counts, the first bad rows, and notes."""
    with work.store.reading() as connection:
        dataset = find_dataset(connection, work.job.dataset)
    work.progress.begin("reading")
    path = work.input_path
    suffix = output_suffix(path)
    # What the command writes for Excel is CSV.
    written = work.folder / f"output{'.csv' if suffix == '.xlsx' else suffix}"
    notes: list[str] = []
    work.progress.begin("predicting")
    listener = Listener(notes.append, work.progress.expect, work.progress.advance)
    # One process: the machine is not ours alone.
    prediction = FilePrediction(work.store, work.settings, dataset, path, jobs=1, listener=listener)
    result = prediction.write(written)
    work.progress.begin("storing")
    if suffix == ".xlsx":
        from .workbook import write_workbook  # noqa: PLC0415  needs an optional package

        written = write_workbook(written, work.folder / "output.xlsx")
    work.write_output(written)
    return {
        "file_name": f"{path.stem}-predictions{suffix}",
        "rows": result.rows,
        "errors": result.bad,
        "faults": [work.hide_paths(fault) for fault in result.faults],
        "notes": [work.hide_paths(note) for note in notes],
    }


def output_suffix(path: Path) -> str:
    """Return how the name of a file ends that has the format of this one."""
    kind = format_of(path)
    if kind != "text":
        return ".parquet" if kind == "parquet" else ".xlsx"
    if first_character(path) in "[{":
        return ".jsonl"
    return path.suffix.lower() if path.suffix.lower() in TEXT_SUFFIXES else ".csv"
