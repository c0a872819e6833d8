"""Which column identifies the rows, and which others only identify."""

from __future__ import annotations

from collections.abc import Iterable

from db.spec.toml_file import FIELD_NAME

from .column_decision import ColumnType, decide_words
from .id_name import (
    is_id_name,
    is_measure_name,
    is_phone_name,
    is_time_name,
    repeats_as_id,
)
from .word_kind import MIN_ID_ROWS, NEARLY_UNIQUE

_LOWEST_PHONE = 1_000_000
_REPEATS = "looks like an id but repeats, so it is a choice"
_COUNTS = "numbers the rows, so it is not learned from"
_REASON = "one per row, so it identifies rows and is not learned from"


def pick_row_id(columns: list[ColumnType], first: str | None = None) -> ColumnType | None:
    """Turn the columns that identify rows into ids, and return the one to look rows up by.

    The others become unused, with the reason. A column with gaps cannot be the row id, nor can
    numbers whose name does not say so; `first` is the file's first column, which may count rows.
    """
    for column in columns:
        if column.kind == "number" and _has_phone_numbers(column):
            column.kind, column.reason = "unused", "contains phone numbers, which only identify"
        elif column.kind == "number":
            _use_repeated_id(column)
    found = [column for column in columns if column.kind == "id" or _is_number_id(column)]
    complete = [column for column in found if _is_complete(column)]
    best = max(complete, key=_rank, default=None)
    for column in found:
        if column is best:
            _make_id(column)
        else:
            column.kind, column.reason = "unused", "only identifies the rows"
            column.warnings, column.doubts = [], {}
    for column in columns:
        if column not in found and _counts_rows(column):
            _doubt_counter(column, is_first=column.profile.name == first)
    return best


def _is_complete(column: ColumnType) -> bool:
    return column.filled == column.profile.rows


def _make_id(column: ColumnType) -> None:
    name, numbering = column.profile.name, column.profile.numbering
    column.kind, column.reason, column.warnings, column.doubts = "id", _REASON, [], {}
    if not (is_id_name(name) and column.profile.is_integer and numbering.is_progression):
        shown = " ".join(name[:40].split())
        column.warnings.append(
            f"is taken for the row id, so importing a row with the same {shown} replaces it; if"
            " it is not an id, choose another type, or remove the line id in the dataset file"
        )


def _rank(column: ColumnType) -> tuple[bool, bool]:
    """Return the evidence by its weight; among equals, the first column is the row id."""
    return is_id_name(column.profile.name), column.profile.numbering.is_progression


def _is_unique_number(column: ColumnType) -> bool:
    profile = column.profile
    return column.kind == "number" and profile.is_integer and profile.is_unique


def _is_number_id(column: ColumnType) -> bool:
    """Return whether whole numbers identify the rows, which only their name can say."""
    return _is_unique_number(column) and is_id_name(column.profile.name)


def _counts_rows(column: ColumnType) -> bool:
    """Return whether numbers go up by one from row to row, such as 400, 401, 402."""
    profile = column.profile
    is_long = profile.filled >= MIN_ID_ROWS and _is_complete(column)
    counts_on = profile.numbering.counts_on and profile.numbering.step == 1
    is_counter = is_long and counts_on and _is_unique_number(column)
    return is_counter and not is_time_name(profile.name)


def _doubt_counter(column: ColumnType, *, is_first: bool) -> None:
    """Leave out the first column if it counts the rows from 0 or 1; else only warn."""
    profile, low = column.profile, column.profile.numbering.low
    if is_first and low in {0, 1} and not is_measure_name(profile.name):
        column.kind, column.reason = "unused", _COUNTS
        column.warnings = [f"{_COUNTS}; to look rows up by it, write {_id_lines(profile.name)}"]
    else:
        column.warnings.append(
            f"counts on from row to row, from {low} to {profile.numbering.high}, and is learned"
            " from as a number; if it only numbers the rows, remove its field; to look rows"
            f" up by it, write {_id_lines(profile.name)}"
        )


def _id_lines(name: str) -> str:
    if FIELD_NAME.fullmatch(name):
        return f'id = "{name}"'
    return f'id = "row_id" and id_column = "{" ".join(name[:40].split())}"'


def _has_phone_numbers(column: ColumnType) -> bool:
    profile = column.profile
    return profile.is_integer and profile.low >= _LOWEST_PHONE and is_phone_name(profile.name)


def _use_repeated_id(column: ColumnType) -> None:
    """Turn whole numbers with the name of an id that repeat into choices, or leave them out."""
    profile = column.profile
    if not profile.is_integer or profile.is_unique or not repeats_as_id(profile.name):
        return
    if profile.filled >= MIN_ID_ROWS and profile.mean_count < NEARLY_UNIQUE:
        if is_id_name(profile.name):
            column.kind, column.reason = "unused", "looks like an id, but some of its values repeat"
        return
    column.kind, column.values = "choice", decide_words(profile).values
    column.notes, column.doubts = [], {}
    column.warnings = [f'{_REPEATS}; if it is an amount, write type = "number"']


def keep_learnable(columns: Iterable[ColumnType], kinds: Iterable[str]) -> None:
    """Use the columns that were left out if there are no others, but for the row id."""
    pairs = list(zip(columns, kinds, strict=True))
    others = [pair for pair in pairs if pair[0].kind != "id" and _can_be_used(*pair)]
    for column, kind in others or pairs:
        if _can_be_used(column, kind):
            column.kind = "number" if kind == "number" else "text"
            column.warnings = [f"{column.reason}, but the table has nothing else to learn from"]
            column.reason = ""


def _can_be_used(column: ColumnType, kind: str) -> bool:
    return kind == "number" or (kind in {"id", "unused"} and len(column.values) > 1)
