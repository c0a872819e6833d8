"""The work on one block of a file's rows, in this process or in another one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

from db.errors import InputError
from db.files.reader import SHOWN_FAULTS
from db.files.source_file import SourceRow
from db.records.lookup import find_bodies
from db.records.predictor import StoredPredictor
from db.settings import Settings
from db.spec.field import Inputs
from db.store.store import Store, connect_store
from db.traffic.requested_inputs import RequestedInput

from .row_answer import RowAnswer
from .row_inputs import CellInputs, Columns, ValueInputs
from .row_predictor import RowPredictor
from .tables.csv_table import CsvShape
from .tables.json_table import JsonShape
from .tables.table_writer import Row, csv_rows, json_rows

Output: TypeAlias = Literal["csv", "jsonl", "parquet", "none"]


@dataclass(frozen=True)
class TypedShape:
    """Rows of values with types: those of Parquet and Excel.

    With `are_kept`, the process that reads them keeps their own columns.
    """

    are_kept: bool

    def rows(self, block: list[SourceRow]) -> Iterator[SourceRow]:
        """Yield the rows of a block."""
        return iter(block)


Shape: TypeAlias = CsvShape | JsonShape | TypedShape
ReadRow: TypeAlias = tuple[int, "Inputs | InputError | str"]


@dataclass
class BlockResult:
    """What became of a block: its text, or its rows and answers if they are not text.

    `faults` are the first ones, each with its line.
    """

    rows: int = 0
    bad: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)
    requested: list[RequestedInput] = field(default_factory=list)
    text: bytes = b""
    own: Sequence[Row] = ()
    answers: Sequence[RowAnswer] = ()


@dataclass(frozen=True)
class BlockWork:
    """Makes the function that predicts a block; it can be sent to another process.

    `names` are those of the table's columns, `added` those of the answers.
    """

    stored: StoredPredictor
    settings: Settings
    shape: Shape
    names: tuple[str, ...]
    columns: Columns
    added: tuple[str, ...]
    output: Output
    remembers: bool = False

    def __call__(self) -> BlockPredictor:
        """Return the function, which reads the store by a connection of its own."""
        return BlockPredictor(self, connect_store(self.settings, connections=1))


class BlockPredictor:
    """Predicts the rows of blocks."""

    def __init__(self, work: BlockWork, store: Store) -> None:
        self._work = work
        self._store = store
        self._dataset_id = work.stored.dataset.id
        spec = work.stored.dataset.spec
        self._cells = CellInputs(spec, work.names, work.columns)
        self._values = ValueInputs(spec)
        self._decimal = spec.decimal
        self._predictor = RowPredictor(
            work.stored.open(), self._find_bodies, remembers=work.remembers
        )

    def close(self) -> None:
        """Close the connections to the store."""
        self._store.close()

    def _find_bodies(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        with self._store.reading() as connection:
            return find_bodies(connection, self._dataset_id, keys)

    def __call__(self, block: Any) -> BlockResult:  # noqa: ANN401  as the shape reads it
        """Return the rows of a block with their answers."""
        # A line that is no row has no inputs and gets no answer.
        rows = list(self._work.shape.rows(block))
        read = [self._read(row) for row in rows]
        inputs = [one[1] for one in read if one is not None]
        if self._work.output == "none":
            self._predictor.find_requested(inputs)
            return BlockResult(rows=len(inputs), requested=self._predictor.take_requested())
        answers = self._predictor.answers(inputs)
        result = BlockResult(rows=len(answers), requested=self._predictor.take_requested())
        faults = [
            (one[0], answer.error)
            for one, answer in zip(filter(None, read), answers, strict=True)
            if answer.error
        ]
        result.bad, result.faults = len(faults), faults[:SHOWN_FAULTS]
        self._write(rows, read, answers, result)
        return result

    def _read(self, row: Any) -> ReadRow | None:  # noqa: ANN401
        """Return a row's line and its inputs, or what is wrong with them; None if it is no row."""
        shape = self._work.shape
        if isinstance(shape, CsvShape):
            if row.fault is None:
                return None
            return row.line, row.fault or _inputs(partial(self._cells.read, row.cells))
        source = row.source if isinstance(shape, JsonShape) else row
        if source is None:
            return None
        return source.line, source.fault or _inputs(partial(self._values.read, source.values))

    def _write(
        self,
        rows: list[Any],
        read: list[ReadRow | None],
        answers: list[RowAnswer],
        result: BlockResult,
    ) -> None:
        work = self._work
        of_row = iter(answers)
        each = [None if one is None else next(of_row) for one in read]
        if isinstance(work.shape, CsvShape) and work.output == "csv":
            result.text = work.shape.write(rows, each).encode()
        elif isinstance(work.shape, JsonShape) and work.output == "jsonl":
            result.text = work.shape.write(rows, each, work.added).encode()
        else:
            own = [self._own(row) for row, one in zip(rows, read, strict=True) if one is not None]
            self._convert(own, answers, result)

    def _convert(self, own: list[Row], answers: list[RowAnswer], result: BlockResult) -> None:
        """Set the text of rows in another format than that of their file, or the rows."""
        work = self._work
        if work.output == "csv":
            result.text = csv_rows(work.names, own, answers, self._decimal).encode()
        elif work.output == "jsonl":
            result.text = json_rows(own, answers, work.added).encode()
        else:
            are_kept = isinstance(work.shape, TypedShape) and work.shape.are_kept
            result.own = () if are_kept else own
            result.answers = answers

    def _own(self, row: Any) -> Row:  # noqa: ANN401
        if isinstance(self._work.shape, CsvShape):
            return self._work.shape.values(row)
        values: Row = (row.source if isinstance(self._work.shape, JsonShape) else row).values
        return values


def _inputs(read: partial[Inputs]) -> Inputs | InputError:
    try:
        return read()
    except InputError as error:
        return error
