"""Predictions for a table in CSV: the same rows, with the answers in further columns.

Imported when the first such request comes, so that a process without any stays as small as it was.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import msgspec

from db.errors import DataFileError, InputError
from db.files.prediction.row_answer import (
    RowAnswer,
    added_columns,
    row_answer,
    row_error,
    unused_names,
)
from db.files.prediction.row_inputs import CellInputs, find_columns
from db.files.prediction.tables.csv_table import CsvFile, CsvRow
from db.records.encoded_inputs import batches
from db.scoring.response_body import decode_answer
from db.spec.field import Inputs
from serve.api.problem import Refusal, make_problem, problem_of
from serve.api.query import MOST_CSV_ROWS, MOST_PARAMETERS
from serve.prediction.batch import BatchAnswer, BatchPredictor
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

_PART_ROWS = 500

PredictRows: TypeAlias = Callable[[Sequence[Inputs]], list[BatchAnswer]]

# A table takes a thread for up to a second; several would keep requests for one row waiting.
_turn = threading.Lock()

_encode = msgspec.json.Encoder().encode


def answer_csv(
    body: bytes, service: PredictionService, served: Served, client: str, *, as_json: bool
) -> bytes:
    """Return the response to a table, one at a time; raises Refusal, 503 during another one."""
    if not _turn.acquire(blocking=False):
        raise Refusal(503, "another table is being answered; send yours again, one at a time")
    try:
        table = _open_csv(body, served)
        predict = partial(BatchPredictor(service, served).predict, client=client)
        return table.json(predict) if as_json else table.csv(predict, served)
    finally:
        _turn.release()


def _open_csv(body: bytes, served: Served) -> CsvTableRequest:
    """Return the table in a body, which has been read to its end; raises Refusal."""
    served.require_student()
    try:
        text = body.decode("utf-8")
        file = _csv_file(text, served)
        rows = sum(block.rows for block in file.blocks())
        columns, _ = find_columns(served.spec, file.shape.names, "the body")
    except UnicodeDecodeError:
        raise Refusal(400, "the body is not UTF-8") from None
    except ValueError as error:
        raise Refusal(400, f"the body cannot be read as CSV: {error}") from None
    except DataFileError as error:
        raise Refusal(400, str(error)) from None
    if rows > MOST_CSV_ROWS:
        raise Refusal(413, f"the body has {rows:,} rows, more than {MOST_CSV_ROWS:,}; send fewer")
    if len(file.shape.names) > MOST_PARAMETERS:
        # Each short row is filled up to the last column.
        count = len(file.shape.names)
        raise Refusal(413, f"the body has {count:,} columns, more than {MOST_PARAMETERS:,}")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return CsvTableRequest(mark, file, CellInputs(served.spec, file.shape.names, columns))


def _csv_file(text: str, served: Served) -> CsvFile:
    plain = text.removeprefix("\ufeff")
    if not plain.strip():
        raise ValueError("is empty; its first line must have the columns' names")
    return CsvFile(io.StringIO(plain, newline=""), served.spec.decimal)


@dataclass(frozen=True)
class CsvTableRequest:
    """A table to be answered; `mark` is its byte order mark."""

    mark: str
    file: CsvFile
    inputs: CellInputs

    def csv(self, predict: PredictRows, served: Served) -> bytes:
        """Return the response as CSV."""
        added = unused_names(added_columns(served.spec), set(self.file.shape.names))
        parts = [self.mark + self.file.head(added)]
        for rows in batches(self._rows(), _PART_ROWS):
            answers = [_csv_answer(served, answer) for answer in self._answers(predict, rows)]
            parts.append(self.file.shape.write(rows, answers))
        return "".join(parts).encode()

    def json(self, predict: PredictRows) -> bytes:
        """Return the response as a JSON array."""
        items = [
            _json_answer(answer)
            for rows in batches(self._rows(), _PART_ROWS)
            for answer in self._answers(predict, rows)
            if answer is not None
        ]
        return b"[" + b",".join(items) + b"]"

    def _answers(
        self, predict: PredictRows, rows: Sequence[CsvRow]
    ) -> list[BatchAnswer | InputError | str | None]:
        """Return the answers to rows, or what is wrong with one; None for a line that is no row."""
        read = [None if row.fault is None else self._read(row) for row in rows]
        answers = iter(predict([one for one in read if isinstance(one, dict)]))
        return [next(answers) if isinstance(one, dict) else one for one in read]

    def _rows(self) -> Iterator[CsvRow]:
        for block in self.file.blocks():
            yield from self.file.shape.rows(block)

    def _read(self, row: CsvRow) -> Inputs | InputError | str:
        if row.fault:
            return row.fault
        try:
            return self.inputs.read(row.cells)
        except InputError as error:
            return error


def _csv_answer(served: Served, answer: BatchAnswer | InputError | str | None) -> RowAnswer | None:
    if isinstance(answer, BatchAnswer):
        return row_answer(decode_answer(answer.body))
    return None if answer is None else row_error(served.spec, str(answer))


def _json_answer(answer: BatchAnswer | InputError | str) -> bytes:
    if isinstance(answer, BatchAnswer):
        return answer.body
    if isinstance(answer, InputError):
        return _encode(problem_of(answer))
    return _encode(make_problem(400, answer))
