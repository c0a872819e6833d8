"""A file whose rows are to be predicted, in the format that it has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from db.errors import DataFileError
from db.files.compression import open_bytes
from db.files.reader import errors_of, first_character, format_of, needed_packages, open_source
from db.files.source_file import Source, open_text
from db.records.encoded_inputs import batches
from db.spec.dataset_spec import DatasetSpec

from .block_work import Shape, TypedShape
from .tables.csv_table import CsvFile
from .tables.json_table import JsonFile, member_names

Format: TypeAlias = Literal["csv", "jsonl", "parquet", "excel"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLOCK_ROWS = 2000
_MOST_NAMES = 10_000


@dataclass(frozen=True)
class InputTable:
    """A table that is open: how its rows are read, and the names of its columns.

    `taken` are the names that an added column cannot have.
    `blocks` yields blocks of rows for `shape`, each with what else the writer needs of them, given
    the columns that are read (None for all). `head` returns what a file of the same format has
    above its rows, with the names of added columns. `surplus` names the cells of bad rows that
    have no column.
    """

    format: Format
    shape: Shape
    names: tuple[str, ...]
    taken: frozenset[str]
    rows: int
    notes: tuple[str, ...]
    blocks: Callable[[Collection[str] | None], Iterator[tuple[Any, Any]]]
    head: Callable[[tuple[str, ...]], bytes] = field(default=lambda _: b"")
    surplus: Callable[[], tuple[str, ...]] = field(default=lambda: ())
    schema: Any = None


@contextmanager
def opened_table(path: Path, spec: DatasetSpec) -> Iterator[InputTable]:
    """Open a file, and read it once to its end; raises DataFileError if that is not possible."""
    kind = format_of(path)
    if kind == "parquet":
        with _opened_parquet(path) as table:
            yield table
    elif kind == "excel":
        with open_source(path) as source:
            yield _excel_table(source)
    else:
        with _opened_text(path, spec) as table:
            yield table


def _excel_table(source: Source) -> InputTable:
    layout = source.layout()
    names = list(layout.names)
    known = set(names)
    count = 0
    for row in source.rows():
        count += 1
        # A column without a name in the header, or a cell right of it.
        if not row.values.keys() <= known:
            _insert_names(names, row.values)
            known.update(names)
    return InputTable(
        "excel",
        TypedShape(are_kept=False),
        tuple(names),
        frozenset(names),
        count,
        layout.notes,
        lambda _: ((block, None) for block in batches(source.rows(), _BLOCK_ROWS)),
    )


def _insert_names(names: list[str], row: Iterable[str]) -> None:
    """Insert the names in a row that are new, each after the one before it in the row."""
    at = 0
    for name in row:
        if name not in names:
            names.insert(at, name)
        at = names.index(name) + 1


@contextmanager
def _opened_parquet(path: Path) -> Iterator[InputTable]:
    with needed_packages(path, "Parquet"):
        from .tables.parquet_table import opened_parquet  # noqa: PLC0415  needs an optional package

    with opened_parquet(path) as file:
        layout = file.table.layout()
        yield InputTable(
            "parquet",
            TypedShape(are_kept=True),
            layout.names,
            frozenset((*layout.names, *file.schema.names)),
            file.rows,
            layout.notes,
            file.blocks,
            schema=file.schema,
        )


@contextmanager
def _opened_text(path: Path, spec: DatasetSpec) -> Iterator[InputTable]:
    with ExitStack() as opened, errors_of(path):
        first = first_character(path)
        is_json = first in "[{"
        # Line ends in a JSON file are not part of a value; those of CSV are kept as they are.
        file = opened.enter_context(open_text(path, ""))
        yield (
            _json_table(JsonFile(file, first))
            if is_json
            else _csv_table(CsvFile(file, spec.decimal), _starts_with_mark(path))
        )


def _csv_table(file: CsvFile, mark: bytes) -> InputTable:
    return InputTable(
        "csv",
        file.shape,
        file.shape.names,
        frozenset(file.shape.names),
        sum(block.rows for block in file.blocks()),
        file.notes,
        lambda _: ((block, None) for block in file.blocks()),
        head=lambda added: mark + file.head(added).encode(),
        surplus=file.surplus,
    )


def _starts_with_mark(path: Path) -> bytes:
    """Return the byte order mark of a file, b"" if it has none."""
    with open_bytes(path) as file:
        start = file.read(len(_BYTE_ORDER_MARK))
    return start if start == _BYTE_ORDER_MARK else b""


def _json_table(file: JsonFile) -> InputTable:
    names: dict[str, None] = {}
    taken: set[str] = set()
    count = 0
    for block in file.blocks():
        for row in file.shape.rows(block):
            if row.source is not None:
                count += 1
                names.update(dict.fromkeys(row.source.values))
                # Those of missing values and of objects are no columns, but the row has them.
                taken.update(member_names(row.text))
        if len(names) > _MOST_NAMES:
            raise ValueError(f"its rows have more than {_MOST_NAMES:,} names in all")
    name = file.shape.rows_name
    notes = () if name is None else (f"the rows are the list {name} in one object",)
    return InputTable(
        "jsonl",
        file.shape,
        tuple(names),
        frozenset((*names, *taken)),
        count,
        notes,
        lambda _: ((block, None) for block in file.blocks()),
    )


def check_not_empty(table: InputTable, path: Path) -> None:
    """Raise DataFileError for JSON without rows, whose columns are not known."""
    if table.format == "jsonl" and not table.rows:
        raise DataFileError(f"{path}: has no rows")
