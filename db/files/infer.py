"""Infer a dataset's TOML file from a data file, for a person to review: `python -m db infer`."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePath

import msgspec

from db.errors import DataFileError, InputError
from db.spec.dataset_spec import DatasetSpec
from db.spec.dates.date_value import DateOrder
from db.spec.toml_file import check_spec

from .column_type import ColumnProfile
from .draft.column_report import ColumnReport, report_column, report_target, short_name
from .draft.dataset_toml import dataset_toml, field_names, slug
from .draft.label_check import check_choices, check_labels
from .draft.leak import find_leaks
from .draft.table import Table, read_table
from .draft.target import Target, read_target
from .evidence.column_decision import ColumnType, decide_type
from .evidence.date_order import proven_order
from .evidence.number_marks import FileMarks, Mark, read_marks
from .evidence.odd_cells import NEARLY_ALL
from .evidence.row_id import keep_learnable, pick_row_id
from .evidence.short_year import read_short_year
from .reader import open_source
from .source_file import Source

# Endings of the names of compressed files.
COMPRESSED = frozenset((".gz", ".bz2", ".xz", ".zip"))
MAX_SHOWN_COLUMNS = 50
# Above this share of rows with one value, a column hardly differs between rows.
_NEARLY_CONSTANT = 0.995


@dataclass(frozen=True)
class InferredDataset:
    """A TOML file's text, the spec in it, what was found in each column, notes and warnings."""

    text: str
    spec: DatasetSpec
    columns: list[ColumnReport]
    unused: dict[str, str]
    notes: list[str]
    warnings: list[str]


def infer_dataset(
    path: Path,
    target: str,
    name: str = "",
    missing: Collection[str] = (),
    decimal: Mark | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> InferredDataset:
    """Infer a dataset from the columns of a file as `infer_from` does; by default named like it."""
    with open_source(path) as source:
        name = name or slug(_stem(path), "-", "_") or "dataset"
        return infer_from(source, target, name, missing, decimal, progress)


def _stem(path: Path) -> str:
    """Return a file's name without what says that it is compressed, and its format."""
    return PurePath(path.stem if path.suffix in COMPRESSED else path.name).stem


def infer_from(
    source: Source,
    target: str,
    name: str,
    missing: Collection[str] = (),
    decimal: Mark | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> InferredDataset:
    """Infer a dataset from the columns of a source; raises DataFileError.

    `missing` contains words that mean "missing" in the source, in addition to the usual ones.
    `decimal` is the decimal mark of numbers that can be read in two ways.
    """
    table = read_table(source, frozenset(missing), progress)
    return infer_table(table, source.name, target, name, decimal)


def infer_table(
    table: Table, source: str, target: str, name: str, decimal: Mark | None = None
) -> InferredDataset:
    """Infer a dataset from a table that has been read from a source of this name."""
    if target not in table.columns:
        raise _no_column(source, target, list(table.columns))
    file = file_marks(table, decimal)
    label = read_target(source, table.columns[target], file)
    others = [column for each, column in table.columns.items() if each != target]
    columns = _decide(source, target, others, file, next(iter(table.columns)))
    _check_numbers(source, label, columns)
    names = field_names(columns, target)
    text = dataset_toml(name, PurePath(source).name, label, columns, names)
    spec = msgspec.convert(tomllib.loads(text), DatasetSpec)
    check_spec(spec)
    warnings = list(_warnings(table, label, columns))
    if not any("import refuses" in warning for warning in warnings):
        warnings += _refused_rows(spec, table)
    return InferredDataset(
        text,
        spec,
        [report_target(label), *(report_column(column, names) for column in columns)],
        {c.profile.name: c.reason for c in columns if c.kind == "unused"},
        list(_notes(table)),
        warnings,
    )


def _refused_rows(spec: DatasetSpec, table: Table) -> Iterator[str]:
    """Yield a sentence if import refuses rows of the sample, with the first reason."""
    reasons = []
    for row in table.sample.rows:
        try:
            spec.pick_inputs(row)
        except InputError as error:
            reasons.append(str(error))
    if reasons:
        yield f"import refuses {len(reasons):,} of {len(table.sample.rows):,} rows; {reasons[0]}"


def _no_column(source: str, target: str, columns: list[str]) -> DataFileError:
    close = get_close_matches(target[:200].lower(), [each[:200].lower() for each in columns], 1)
    similar = next((each for each in columns if close and each[:200].lower() == close[0]), "")
    hint = f"; did you mean {short_name(similar)}?" if similar else ""
    shown = ", ".join(map(short_name, columns[:MAX_SHOWN_COLUMNS]))
    more = f" and {len(columns) - MAX_SHOWN_COLUMNS:,} more" * (len(columns) > MAX_SHOWN_COLUMNS)
    return DataFileError(
        f"{source}: has no column {short_name(target)}; it has {shown}{more}{hint}"
    )


def file_marks(table: Table, decimal: Mark | None) -> FileMarks:
    """Return what all columns of a file together say about decimal marks."""
    columns = table.columns.values()
    proven = {mark for column in columns if (mark := _proven_mark(column))}
    orders = {order for column in columns if (order := _proven_order(column))}
    date_order = orders.pop() if len(orders) == 1 else None
    return FileMarks(table.delimiter, frozenset(proven), decimal, date_order)


def _proven_order(column: ColumnProfile) -> DateOrder | None:
    is_year_first = read_short_year(column.groups, column.distinct).is_first
    return None if is_year_first else proven_order(column.groups)


def _proven_mark(column: ColumnProfile) -> Mark | None:
    shaped = sum(group.count for _, group in column.groups.numbers())
    is_number = shaped and shaped >= NEARLY_ALL * column.filled
    return read_marks(column.groups)[2].proven if is_number else None


def _decide(
    source: str, target: str, profiles: Iterable[ColumnProfile], file: FileMarks, first: str
) -> list[ColumnType]:
    """Return the types of all columns but the target; raises DataFileError if none is used."""
    columns = [decide_type(profile, file) for profile in profiles]
    kinds = [column.kind for column in columns]
    pick_row_id(columns, first)
    if all(column.kind in {"id", "unused"} for column in columns):
        keep_learnable(columns, kinds)
    if all(column.kind in {"id", "unused"} for column in columns):
        why = "; ".join(
            f"{short_name(c.profile.name)} {c.reason}" for c in columns[:MAX_SHOWN_COLUMNS]
        )
        raise DataFileError(
            f"{source}: has no column to predict {short_name(target)} from{': ' * bool(why)}{why}"
        )
    return columns


def _check_numbers(source: str, label: Target, columns: list[ColumnType]) -> None:
    """Raise DataFileError if a number can be read in two ways."""
    cells = {label.profile.name: label.ambiguous}
    cells |= {c.profile.name: c.reading.ambiguous for c in columns if c.kind == "number"}
    for column, cell in cells.items():
        if cell:
            mark, other = (",", ".") if "," in cell else (".", ",")
            decimal, whole = cell.replace(",", "."), cell.replace(mark, "")
            raise DataFileError(
                f"{source}: {short_name(column)}: {cell} can be {decimal} or {whole}; add --decimal"
                f" {mark} for the first, or --decimal {other} for the second"
            )


def describe_inference(inferred: InferredDataset) -> Iterator[str]:
    """Yield the notes, a line for each column, one for the enrichers, and the warnings."""
    yield from inferred.notes
    width = max(len(short_name(column.name)) for column in inferred.columns)
    for column in inferred.columns:
        yield f"  {short_name(column.name) + ':':<{width + 1}} {column}"
    if inferred.spec.enrichers:
        yield f"  enrichers: {', '.join(inferred.spec.enrichers)}"
    yield from (f"check {warning}" for warning in inferred.warnings)


def _notes(table: Table) -> Iterator[str]:
    yield from table.notes
    if table.faults:
        rows = "1 row was" if table.faults == 1 else f"{table.faults:,} rows were"
        yield f"{rows} not read: {table.first_fault}"


def _warnings(table: Table, label: Target, columns: list[ColumnType]) -> Iterator[str]:
    """Yield what a person should look at, each beginning with the column."""
    name = short_name(label.profile.name)
    yield from (f"{name}: {warning}" for warning in label.warnings)
    if label.profile.numbering.is_progression and label.profile.is_integer:
        yield f"{name}: numbers the rows, so there may be nothing to predict"
    if label.labels:
        yield from (f"{name}: {warning}" for warning in check_labels(label.labels))
    used = [column for column in columns if column.kind not in {"id", "unused"}]
    for column in columns:
        short = short_name(column.profile.name)
        warnings = [*column.doubts.values(), *column.warnings]
        yield from (f"{short}: {warning}" for warning in warnings)
        if column.kind == "choice":
            yield from (f"{short}: {warning}" for warning in check_choices(column.values))
        if column in used and (constant := _nearly_constant(column)):
            yield f"{short}: {constant}"
    yield from _totals(table, label)
    if len(used) > 1:
        seen = f" (a sample of {len(table.sample.rows):,} rows)" * table.sample.is_partial
        for leak in find_leaks(used, label, table.sample.rows):
            yield f"{short_name(leak.column)}: {leak}{seen}"


def _totals(table: Table, label: Target) -> Iterator[str]:
    """Yield a sentence for each row that sums up others."""
    profile = label.profile
    counts = Counter({} if profile.has_more else profile.distinct)
    cells = {text: value for text in counts if isinstance(value := label.read(text), float)}
    numbers: Counter[float] = Counter()
    for text, value in cells.items():
        numbers[value] += counts[text]
    values = {name: column.distinct for name, column in table.columns.items()}
    yield from table.totals.find(profile.name, numbers, cells, values)


def _nearly_constant(column: ColumnType) -> str:
    rows = column.profile.rows
    counts = Counter({"": column.empty}) + column.values
    value, count = counts.most_common(1)[0]
    if count < _NEARLY_CONSTANT * rows:
        return ""
    what = f"the value {short_name(value)!r}" if value else "no value"
    return f"{count:,} of {rows:,} rows have {what}, so little can be learned from it"
