"""Predictions for a table in CSV: the same rows, with the answers in further columns.

Imported when the first such request comes, so that a process without any stays as small as it was.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
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
from db.records.observation import FoundRecord
from db.records.record import batches
from db.scoring.response_body import decode_answer
from db.spec.field import Inputs
from serve.prediction.cache import CachedResponse
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

from .problem import Refusal, make_problem, problem_of
from .query import MOST_CSV_ROWS, MOST_PARAMETERS

_PART_ROWS = 50

# A table takes a thread for up to a second; several would keep requests for one row waiting.
_turn = threading.Lock()

_encode = msgspec.json.Encoder().encode

Answer: TypeAlias = Callable[[Inputs], CachedResponse]


def answer_csv(
    body: bytes, service: PredictionService, served: Served, client: str, *, as_json: bool
) -> bytes:
    """Return the response to a table, one at a time; raises Refusal, 503 during another one."""
    if not _turn.acquire(blocking=False):
        raise Refusal(503, "another table is being answered; send yours again, one at a time")
    try:
        table = _open_csv(body, served)
        answer = partial(_respond, service, served, client)
        return table.json(answer) if as_json else table.csv(answer, served)
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

    def csv(self, answer: Answer, served: Served) -> bytes:
        """Return the response as CSV."""
        added = unused_names(added_columns(served.spec), set(self.file.shape.names))
        parts = [self.mark + self.file.head(added)]
        for rows in batches(self._rows(), _PART_ROWS):
            answers = [_csv_answer(answer, served, row, self._read(row)) for row in rows]
            parts.append(self.file.shape.write(rows, answers))
        return "".join(parts).encode()

    def json(self, answer: Answer) -> bytes:
        """Return the response as a JSON array."""
        items = [_json_answer(answer, self._read(row)) for row in self._rows() if _is_row(row)]
        return b"[" + b",".join(items) + b"]"

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


def _is_row(row: CsvRow) -> bool:
    return row.fault is not None


def _csv_answer(
    answer: Answer, served: Served, row: CsvRow, read: Inputs | InputError | str
) -> RowAnswer | None:
    if not _is_row(row):
        return None
    if not isinstance(read, dict):
        return row_error(served.spec, str(read))
    return row_answer(decode_answer(answer(read).body))


def _json_answer(answer: Answer, read: Inputs | InputError | str) -> bytes:
    if isinstance(read, dict):
        return answer(read).body
    if isinstance(read, InputError):
        return _encode(problem_of(read))
    return _encode(make_problem(400, read))


def _respond(
    service: PredictionService, served: Served, client: str, inputs: Inputs
) -> CachedResponse:
    """Return the response to inputs, recorded and counted as that of any other request."""
    key = served.spec.key(inputs)
    reader = service.store_reader
    body = None if served.is_final else reader.find_prediction(served.id, key)
    response = service.try_out(served, FoundRecord(key, inputs, body), client)
    service.counters.count_answer(
        response.dataset_id,
        response.dataset,
        response.source,
        response.source,
        response.prediction,
    )
    return response
