"""Tests of log lines: all are written whole, files are rotated, and no thread has to wait."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from serve.telemetry import log
from serve.telemetry.log import FILES_KEPT, BatchedHandler, LogFile
from tests.conftest import ROOT
from tests.processes import PATIENCE_SECONDS, wait_for

PROCESSES = 4
LINES = 300


def lines_of(path: Path) -> list[str]:
    """Return the lines of a log and of its older files, oldest first."""
    older = [Path(f"{path}.{number}") for number in range(FILES_KEPT + 1, 0, -1)]
    existing = [file for file in (*older, path) if file.exists()]
    return [line for file in existing for line in file.read_text("utf-8").splitlines(keepends=True)]


def logs_in(folder: Path) -> set[str]:
    """Return the names of the log files."""
    return {file.name for file in folder.iterdir() if not file.name.endswith(".lock")}


# The code of each writing process: it imports only what it needs, to start quickly.
WRITE = f"""
import sys
from pathlib import Path
from serve.telemetry.log import LogFile
file = LogFile(Path(sys.argv[1]), int(sys.argv[2]))
for number in range({LINES}):
    file.write(f"{{sys.argv[3]}} {{number}} {{'x' * 50}}\\n".encode())
"""


def write_from_processes(path: Path, most_bytes: int) -> None:
    """Write to one log from several processes at the same time."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, path, str(most_bytes), str(number)], cwd=ROOT
        )
        for number in range(PROCESSES)
    ]
    assert [writer.wait() for writer in writers] == [0] * PROCESSES


def test_a_full_file_is_rotated_and_five_older_ones_are_kept(tmp_path: Path) -> None:
    """The oldest lines are deleted, and the remaining ones have no gap."""
    path = tmp_path / "log"
    file = LogFile(path, 1000)
    written = [f"{number:099d}\n" for number in range(100)]
    for line in written:
        file.write(line.encode())
    assert logs_in(tmp_path) == {"log", "log.1", "log.2", "log.3", "log.4", "log.5"}
    remaining = lines_of(path)
    assert remaining == written[-len(remaining) :]
    assert all(1000 < Path(f"{path}.{number}").stat().st_size <= 1100 for number in range(1, 6))
    assert path.stat().st_size <= 1000


def test_several_processes_lose_no_line(tmp_path: Path) -> None:
    """When one process rotates the file, the others follow."""
    path = tmp_path / "log"
    write_from_processes(path, 20_000)
    assert "log.1" in logs_in(tmp_path)
    assert sorted(lines_of(path)) == sorted(
        f"{writer} {number} {'x' * 50}\n" for writer in range(PROCESSES) for number in range(LINES)
    )


def test_several_processes_keep_no_more_files_than_one(tmp_path: Path) -> None:
    """Two processes that find the file full at the same time rotate it once."""
    path = tmp_path / "log"
    write_from_processes(path, 1000)
    assert logs_in(tmp_path) == {"log", "log.1", "log.2", "log.3", "log.4", "log.5"}
    assert all(re.fullmatch(r"\d \d+ x{50}\n", line) for line in lines_of(path))


def test_a_process_that_rarely_logs_loses_no_line(tmp_path: Path) -> None:
    """Other processes have rotated the file until the one that it opened was deleted."""
    path = tmp_path / "log"
    silent, busy = LogFile(path, 1000), LogFile(path, 1000)
    for _ in range(100):
        busy.write(b"x" * 99 + b"\n")
    silent.write(b"at last\n")
    assert "at last\n" in lines_of(path)


def test_a_deleted_file_is_created_again(tmp_path: Path) -> None:
    """A new file is opened at the latest when the old one would be rotated."""
    path = tmp_path / "log"
    file = LogFile(path, 1000)
    path.unlink()
    for _ in range(30):
        file.write(b"x" * 99 + b"\n")
    assert path.exists()


def test_a_full_disk_raises_no_error() -> None:
    """The lines are lost."""
    with pytest.raises(OSError, match="No space left"):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    file = LogFile(Path("/dev/full"), 10)
    for _ in range(3):
        file.write(b"a line\n")


@dataclass
class Output:
    """A pipe in place of standard output, which is not read until `read` is called."""

    reader: int
    writer: int
    _parts: list[bytes] = field(default_factory=list)
    _thread: threading.Thread | None = None

    def read(self) -> None:
        """Start reading in a thread."""
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()

    def _read_on(self) -> None:
        while part := os.read(self.reader, 2**16):
            self._parts.append(part)

    def lines(self) -> list[str]:
        """Close the pipe and return all lines that were written to it."""
        os.close(self.writer)
        assert self._thread is not None
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        return b"".join(self._parts).decode().splitlines()


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[Output]:
    """Yield a pipe that replaces standard output."""
    pipe = Output(*os.pipe())
    monkeypatch.setattr(log, "STDOUT", pipe.writer)
    yield pipe
    os.close(pipe.reader)


def in_threads(work: Callable[[int], None], threads: int = 8) -> None:
    """Call `work` in several threads at the same time."""
    started = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def log_record(message: str, level: int = logging.INFO) -> logging.LogRecord:
    """Return a record as the standard library's logging passes it to a handler."""
    return logging.LogRecord("tests", level, __file__, 1, message, (), None)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("started", [True, False])
def test_lines_of_many_threads_are_complete_and_whole(
    output: Output, tmp_path: Path, log_format: str, *, started: bool
) -> None:
    """Standard output and the file have the same lines in the same order."""
    output.read()
    path = tmp_path / "log"
    log_handler = BatchedHandler(log_format, LogFile(path, 10**7))
    if started:
        log_handler.start()

    def write(thread: int) -> None:
        for number in range(200):
            log_handler.log_line(f"note {thread} {number}.", status=200)
            log_handler.handle(log_record(f"record {thread} {number}."))

    in_threads(write)
    log_handler.close()
    lines = output.lines()
    texts = [json.loads(line)["message"] if log_format == "json" else line for line in lines]
    for kind in ("note", "record"):
        written = [text[text.index(kind) :] for text in texts if kind in text]
        assert sorted(written) == sorted(f"{kind} {a} {b}." for a in range(8) for b in range(200))
    assert (log_handler.dropped, len(lines)) == (0, 3200)
    assert path.read_text().splitlines() == lines


def test_a_line_begins_with_its_time(output: Output) -> None:
    """The time is in UTC, in the format of RFC 3339, with milliseconds."""
    output.read()
    for log_format in ("text", "json"):
        BatchedHandler(log_format).log_line("one", status=200)
    text_line, json_line = output.lines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(f"{stamp} one", text_line)
    fields = json.loads(json_line)
    assert re.fullmatch(stamp, fields.pop("time"))
    assert fields == {"level": "info", "message": "one", "status": 200}


def wait_until_taken(log_handler: BatchedHandler) -> None:
    """Wait until the handler's thread has taken all waiting lines."""
    wait_for(lambda: not log_handler._lines, lambda: "it takes nothing", look_seconds=0.01)


def test_with_a_stalled_reader_only_a_limited_number_of_lines_waits(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Further lines are dropped and counted; waiting lines are written once reading resumes."""
    monkeypatch.setattr(log, "MOST_WAITING_LINES", 100)
    log_handler = BatchedHandler("text")
    log_handler.start()
    # More than the pipe holds, so that the handler's thread waits for the reader.
    for number in range(100):
        log_handler.log_line(f"{number} {'x' * 1000}")
    wait_until_taken(log_handler)
    for number in range(100, 1000):
        log_handler.log_line(f"{number} {'x' * 1000}")
        assert len(log_handler._lines) <= 100
    assert log_handler.dropped == 800
    output.read()
    wait_until_taken(log_handler)
    log_handler.close()
    assert [int(line.split()[1]) for line in output.lines()] == list(range(200))


def stalled_handler(output: Output) -> BatchedHandler:
    """Return a handler whose thread waits for a reader and has a line left to write."""
    os.set_blocking(output.writer, False)
    with suppress(BlockingIOError):
        while os.write(output.writer, b"x"):
            continue
    os.set_blocking(output.writer, True)
    log_handler = BatchedHandler("text")
    log_handler.start()
    log_handler.log_line("one")
    wait_until_taken(log_handler)
    return log_handler


def test_a_stalled_reader_does_not_block_a_warning(output: Output) -> None:
    """For example, the thread of a request warns that the store is down."""
    log_handler = stalled_handler(output)
    warning = threading.Thread(
        target=log_handler.handle, args=(log_record("gone", logging.WARNING),)
    )
    warning.start()
    warning.join(PATIENCE_SECONDS)
    is_blocked = warning.is_alive()
    output.read()
    warning.join()
    log_handler.close()
    assert "gone" in "".join(output.lines())
    assert not is_blocked


def test_a_stalled_reader_does_not_block_the_end(output: Output) -> None:
    """Otherwise SIGTERM could not end a process whose output is not read."""
    log_handler = stalled_handler(output)
    closing = threading.Thread(target=log_handler.close)
    closing.start()
    closing.join(PATIENCE_SECONDS)
    is_blocked = closing.is_alive()
    output.read()
    closing.join()
    output.lines()
    assert not is_blocked


@pytest.mark.parametrize(
    "log_format",
    ["text", "json"],
)
def test_a_message_with_invalid_unicode_is_logged(output: Output, log_format: str) -> None:
    """A file name in an error message may be invalid, and logging it must not fail."""
    output.read()
    BatchedHandler(log_format).handle(log_record("no file \udcff here"))
    (line,) = output.lines()
    assert "no file" in line
