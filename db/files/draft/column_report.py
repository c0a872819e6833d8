"""Reports on the columns of a table, as `python -m db infer` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from db.files.evidence.column_decision import ColumnType

from .dataset_toml import distinct_count
from .target import Target

MAX_SHOWN_CHARACTERS = 40
MAX_SHOWN_WORDS = 5


class ColumnReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was found out about a column; `field` is its name in the dataset, if it is used."""

    name: str
    type: str
    missing: int
    rows: int
    distinct: str
    field: str = ""
    note: str = ""

    def __str__(self) -> str:
        gaps = f"{self.missing:,} of {self.rows:,} missing" if self.missing else ""
        parts = [self.type, gaps, f"{self.distinct} distinct"] if self.field else [self.type]
        renamed = f"as {self.field}" if self.field not in {"", self.name} else ""
        return ", ".join(filter(None, [*parts, renamed, self.note]))


def report_target(label: Target) -> ColumnReport:
    """Return the report on the column to predict."""
    profile = label.profile
    kind = "numbers to predict" if label.is_regression else "labels to predict"
    count = len(label.labels) or len(profile.distinct)
    distinct = f"more than {count:,}" if profile.has_more else f"{count:,}"
    missing = profile.rows - profile.filled - profile.marked + label.missing.total()
    return ColumnReport(
        profile.name,
        kind,
        missing,
        profile.rows,
        distinct,
        profile.name,
        "; ".join(label.notes),
    )


def report_column(column: ColumnType, names: Mapping[str, str]) -> ColumnReport:
    """Return the report on another column; `names` has the names of the fields by column."""
    is_field = column.kind not in {"id", "unused"}
    return ColumnReport(
        column.profile.name,
        "not used" if column.kind == "unused" else column.kind,
        column.empty,
        column.profile.rows,
        distinct_count(column),
        names[column.profile.name] if is_field else "",
        "; ".join([*_missing_note(column), *column.notes]) if is_field else column.reason,
    )


def _missing_note(column: ColumnType) -> Iterator[str]:
    """Yield the words that mean "missing", each with its count."""
    words = [f"{short_name(word)} ({count:,})" for word, count in column.missing.most_common()]
    if words:
        more = f" and {len(words) - MAX_SHOWN_WORDS:,} more" * (len(words) > MAX_SHOWN_WORDS)
        yield f"read as missing: {', '.join(words[:MAX_SHOWN_WORDS])}{more}"


def short_name(name: str) -> str:
    """Return the beginning of a name or cell, on one line."""
    cut = name if len(name) <= MAX_SHOWN_CHARACTERS else f"{name[: MAX_SHOWN_CHARACTERS - 1]}…"
    return " ".join(cut.split())
