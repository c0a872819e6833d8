"""The job "infer": the draft of a dataset, for a person to review in the browser."""

from __future__ import annotations

from typing import Any

import msgspec

from db.errors import DataFileError
from db.files.draft.dataset_toml import slug
from db.files.draft.table import Table, read_table
from db.files.infer import InferredDataset, infer_table
from db.files.reader import open_source
from db.spec.toml_file import FIELD_NAME

from .job_work import JobWork

# Names that columns to predict often have, and how many columns are tried without one.
LIKELY_TARGETS = ("target", "label", "class", "category", "outcome", "y")
MOST_TRIED = 10
# A person reviews the columns on a page, and a worker takes their number squared to look for those
# that depend on each other.
MOST_COLUMNS = 1000
MOST_NAME_CHARACTERS = 200


def draft_dataset(work: JobWork) -> dict[str, Any]:
    """Return the draft: its TOML text, its spec, what was found in each column, and warnings."""
    work.progress.begin("reading")
    path = work.input_path
    with open_source(path) as source:
        table = read_table(source, progress=work.progress.advance, most_columns=MOST_COLUMNS)
        name = source.name
    check_names(list(table.columns), name)
    work.progress.begin("inferring")
    inferred = _infer(work, table, name)
    return {"draft": _as_draft(work, inferred, list(table.columns))}


def check_names(columns: list[str], source: str) -> None:
    """Raise DataFileError if the name of a column is too long for a page."""
    for number, column in enumerate(columns, 1):
        if len(column) > MOST_NAME_CHARACTERS:
            raise DataFileError(
                f"{source}: the name of column {number} has {len(column):,} characters, more than"
                f" {MOST_NAME_CHARACTERS}; shorten it"
            )


def _infer(work: JobWork, table: Table, source: str) -> InferredDataset:
    """Infer with the target that was asked for, or else the first column that can be one."""
    name = slug(work.input_path.stem, "-", "_") or "dataset"
    target, decimal = work.job.parameters.get("target"), work.job.parameters.get("decimal")
    if target:
        return infer_table(table, source, target, name, decimal)
    first: DataFileError | None = None
    for column in likely_targets(list(table.columns)):
        try:
            return infer_table(table, source, column, name, decimal)
        except DataFileError as error:
            first = first or error
    raise first or DataFileError(f"{source}: has no columns")


def likely_targets(columns: list[str]) -> list[str]:
    """Return the columns to try as the target: those with a likely name, then the last ones."""
    likely = [column for column in columns if column.lower() in LIKELY_TARGETS]
    others = [column for column in reversed(columns) if column not in likely]
    return [*likely, *others][:MOST_TRIED]


def _as_draft(work: JobWork, inferred: InferredDataset, columns: list[str]) -> dict[str, Any]:
    reports = [{**msgspec.to_builtins(report), "words": str(report)} for report in inferred.columns]
    taken = {inferred.spec.target, inferred.spec.id, *inferred.spec.fields}
    for report in reports:
        if not report.get("field"):
            report["proposed"] = free_name(report["name"], taken)
            taken.add(report["proposed"])
    return {
        "toml": inferred.text,
        "spec": msgspec.to_builtins(inferred.spec),
        "target": inferred.spec.target,
        "names": columns,
        # The first is that of the target.
        "columns": reports[1:],
        "words": reports[0]["words"],
        "notes": [work.hide_paths(note) for note in inferred.notes],
        "warnings": [work.hide_paths(warning) for warning in inferred.warnings],
    }


def free_name(column: str, taken: set[str]) -> str:
    """Return a field name for a column that the draft leaves out, should a person use it."""
    name = column if FIELD_NAME.fullmatch(column) else slug(column)[:36] or "field"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name[:36]}_{number}", number + 1
    return free
