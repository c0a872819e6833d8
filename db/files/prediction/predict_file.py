"""Predict the rows of a file, and write them with their answers, in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

from db.errors import DataFileError, VeilleuseError
from db.files.reader import BadRows, errors_of
from db.records.dataset import Dataset
from db.records.predictor import StoredPredictor, read_predictor
from db.settings import Settings
from db.store.store import Store
from db.traffic.requested_inputs import record_requested

from .block_work import BlockResult, BlockWork, Output
from .input_table import InputTable, check_not_empty, opened_table
from .output_file import OutputClosed, OutputFile, opened_output
from .processes import started_processes, usable_cores
from .row_answer import added_columns, renaming_notes, unused_names
from .row_inputs import find_columns
from .tables.table_writer import csv_head

OutputFormat: TypeAlias = Literal["csv", "jsonl", "parquet"]

# The start of a process takes as long as so many rows.
_ROWS_PER_JOB = 10_000
# Excel cannot be written.
_OUTPUT_OF: dict[str, OutputFormat] = {
    "csv": "csv",
    "excel": "csv",
    "jsonl": "jsonl",
    "parquet": "parquet",
}
_OUTPUT_OF_SUFFIX: dict[str, OutputFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


@dataclass
class PredictionResult(BadRows):
    """How many rows there were, how many of them were bad, and how many inputs were recorded.

    Inputs that were requested before are not counted.
    """

    rows: int = 0
    recorded: int = 0


@dataclass(frozen=True)
class Listener:
    """What is told of a run: sentences, the number of rows, and rows that are done."""

    note: Callable[[str], None] = lambda _: None
    expect: Callable[[int], None] = lambda _: None
    advance: Callable[[int], None] = lambda _: None


@dataclass(frozen=True)
class FilePrediction:
    """The prediction of a file.

    Without `output_format`, the name of the output decides, or else the format of the file.
    """

    store: Store
    settings: Settings
    dataset: Dataset
    path: Path
    output_format: OutputFormat | None = None
    remembers: bool = False
    jobs: int | None = None
    listener: Listener = Listener()

    def write(self, out: Path | None) -> PredictionResult:
        """Write the file's rows with their answers; raises DataFileError or UnknownModel.

        Nothing is written if the file as a whole cannot be read. Raises BrokenPipeError if the
        reader of standard output has closed it.
        """
        try:
            return self._write(out)
        except OutputClosed:
            raise BrokenPipeError from None

    def _write(self, out: Path | None) -> PredictionResult:
        stored = self._stored()
        with self._opened() as table, ExitStack() as opened:
            work = self._work(stored, table, self._output(table, out))
            self.listener.expect(table.rows)
            file = opened.enter_context(opened_output(out, self.path))
            writer = opened.enter_context(_opened_writer(file, table, work))
            result = PredictionResult()
            # Closed here, so that its processes end before the file does.
            for own, part in opened.enter_context(closing(self._results(table, work))):
                writer(own, part)
                self._add(result, part)
        return result

    def remember(self) -> PredictionResult:
        """Let the inputs without a stored prediction become requested records; write nothing."""
        stored = self._stored()
        result = PredictionResult()
        with self._opened() as table:
            work = self._work(stored, table, "none")
            self.listener.expect(table.rows)
            with closing(self._results(table, work)) as results:
                for _, part in results:
                    self._add(result, part)
        return result

    def _stored(self) -> StoredPredictor:
        with self.store.reading() as connection:
            return read_predictor(connection, self.dataset)

    @contextmanager
    def _opened(self) -> Iterator[InputTable]:
        with errors_of(self.path), opened_table(self.path, self.dataset.spec) as table:
            check_not_empty(table, self.path)
            yield table

    def _output(self, table: InputTable, out: Path | None) -> Output:
        by_name = _OUTPUT_OF_SUFFIX.get(out.suffix.lower()) if out else None
        return self.output_format or by_name or _OUTPUT_OF[table.format]

    def _work(self, stored: StoredPredictor, table: InputTable, output: Output) -> BlockWork:
        spec = self.dataset.spec
        columns, note = find_columns(spec, table.names, str(self.path))
        # A text keeps the cells that have no column; a Parquet file needs a column for them.
        names = table.names + (table.surplus() if output == "parquet" else ())
        usual = added_columns(spec)
        added = unused_names(usual, table.taken)
        if output != "none":
            for sentence in (*table.notes, note, *renaming_notes(usual, added)):
                if sentence:
                    self.listener.note(f"{self.path}: {sentence}")
        return BlockWork(
            stored,
            self.settings,
            table.shape,
            names,
            columns,
            added,
            output,
            remembers=self.remembers or output == "none",
        )

    def _results(self, table: InputTable, work: BlockWork) -> Generator[tuple[Any, BlockResult]]:
        """Yield what else the writer needs of each block, and what became of it."""
        are_kept = table.format == "parquet" and work.output in {"parquet", "none"}
        blocks = table.blocks(set(work.columns.values()) if are_kept else None)
        jobs = min(self.jobs or usable_cores(), table.rows // _ROWS_PER_JOB or 1)
        if jobs == 1:
            with closing(work()) as predict:
                yield from ((own, predict(block)) for block, own in blocks)
            return
        with started_processes(work, jobs) as processes:
            yield from processes.results(blocks)

    def _add(self, result: PredictionResult, part: BlockResult) -> None:
        result.rows += part.rows
        for line, fault in part.faults:
            result.add_fault(str(self.path), line, fault)
        result.bad += part.bad - len(part.faults)
        if part.requested:
            record = partial(record_requested, dataset_id=self.dataset.id, requested=part.requested)
            result.recorded += self.store.write(record)
        self.listener.advance(part.rows)


Write: TypeAlias = Callable[[Any, BlockResult], object]


@contextmanager
def _opened_writer(file: OutputFile, table: InputTable, work: BlockWork) -> Iterator[Write]:
    """Write what stands above the rows, and yield what writes the rows of a block."""
    if work.output == "parquet":
        with _opened_parquet_writer(file, table, work) as write:
            yield write
        return
    if work.output == "csv":
        is_kept = table.format == "csv"
        check_labels(work)
        file.write(table.head(work.added) if is_kept else csv_head(work.names, work.added).encode())
    yield lambda _, part: file.write(part.text)


@contextmanager
def _opened_parquet_writer(file: OutputFile, table: InputTable, work: BlockWork) -> Iterator[Write]:
    try:
        from .tables.parquet_table import ParquetWriter  # noqa: PLC0415  needs an optional package
    except ImportError:
        raise VeilleuseError(
            "Parquet needs pyarrow; install it: pip install -r requirements-sources.txt"
        ) from None
    spec = work.stored.dataset.spec
    own = table.schema if table.format == "parquet" else work.names
    is_number = spec.kind == "regression"
    writer = ParquetWriter(file, own, work.added, is_number=is_number, decimal=spec.decimal)
    try:
        if table.format == "parquet":
            yield lambda batch, part: writer.write_batch(batch, part.answers)
        else:
            yield lambda _, part: writer.write_rows(part.own, part.answers)
        writer.close()
    except BaseException:
        writer.abandon()
        raise


def check_labels(work: BlockWork) -> None:
    """Raise DataFileError if a label cannot stand in a file whose cells have no quotation marks."""
    writer = getattr(work.shape, "cell_writer", None)
    if writer is None:
        return
    for label in work.stored.open().student.labels:
        if not writer.can_write(label):
            raise DataFileError(
                f"the label {label} contains the delimiter {writer.delimiter!r}, and the file's"
                " cells have no quotation marks; add --format jsonl"
            )
