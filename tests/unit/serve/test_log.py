"""Log lines: all there and whole, in files that begin anew, and never in anybody's way."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from serve.telemetry import log
from serve.telemetry.log import FILES_KEPT, BatchedHandler, LogFile
from tests.conftest import ROOT

# For what comes at once unless it never comes.
PATIENCE_SECONDS = 10.0
PROCESSES = 4
LINES = 300


def lines_of(path: Path) -> list[str]:
    """Return the lines of a log and of those before it, oldest first."""
    older = [Path(f"{path}.{number}") for number in range(FILES_KEPT + 1, 0, -1)]
    there = [file for file in (*older, path) if file.exists()]
    return [line for file in there for line in file.read_text("utf-8").splitlines(keepends=True)]


def logs_in(folder: Path) -> set[str]:
    """Return the names of the log's files."""
    return {file.name for file in folder.iterdir() if not file.name.endswith(".lock")}


# What each of several processes runs: only what it needs, so that it starts at once.
WRITE = f"""
import sys
from pathlib import Path
from serve.telemetry.log import LogFile
file = LogFile(Path(sys.argv[1]), int(sys.argv[2]))
for number in range({LINES}):
    file.write(f"{{sys.argv[3]}} {{number}} {{'x' * 50}}\\n".encode())
"""


def write_from_processes(path: Path, most_bytes: int) -> None:
    """Write from several processes at once."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, path, str(most_bytes), str(number)], cwd=ROOT
        )
        for number in range(PROCESSES)
    ]
    assert [writer.wait() for writer in writers] == [0] * PROCESSES


def test_a_file_begins_anew_and_five_are_kept(tmp_path: Path) -> None:
    """The oldest go, and what is kept has no gap."""
    path = tmp_path / "log"
    file = LogFile(path, 1000)
    written = [f"{number:099d}\n" for number in range(100)]
    for line in written:
        file.write(line.encode())
    assert logs_in(tmp_path) == {"log", "log.1", "log.2", "log.3", "log.4", "log.5"}
    kept = lines_of(path)
    assert kept == written[-len(kept) :]
    assert all(1000 < Path(f"{path}.{number}").stat().st_size <= 1100 for number in range(1, 6))
    assert path.stat().st_size <= 1000


def test_several_processes_lose_no_line(tmp_path: Path) -> None:
    """Whichever of them begins the file anew, the others follow."""
    path = tmp_path / "log"
    write_from_processes(path, 20_000)
    assert "log.1" in logs_in(tmp_path)
    assert sorted(lines_of(path)) == sorted(
        f"{writer} {number} {'x' * 50}\n" for writer in range(PROCESSES) for number in range(LINES)
    )


def test_several_processes_keep_no_more_files_than_one(tmp_path: Path) -> None:
    """Two that see at once that it is full begin it anew once."""
    path = tmp_path / "log"
    write_from_processes(path, 1000)
    assert logs_in(tmp_path) == {"log", "log.1", "log.2", "log.3", "log.4", "log.5"}
    assert all(re.fullmatch(r"\d \d+ x{50}\n", line) for line in lines_of(path))


def test_a_process_that_was_silent_for_long_loses_no_line(tmp_path: Path) -> None:
    """Others have begun the file anew so often that its own is gone."""
    path = tmp_path / "log"
    silent, busy = LogFile(path, 1000), LogFile(path, 1000)
    for _ in range(100):
        busy.write(b"x" * 99 + b"\n")
    silent.write(b"at last\n")
    assert "at last\n" in lines_of(path)


def test_a_file_that_somebody_erases_comes_again(tmp_path: Path) -> None:
    """At the latest when it would begin anew."""
    path = tmp_path / "log"
    file = LogFile(path, 1000)
    path.unlink()
    for _ in range(30):
        file.write(b"x" * 99 + b"\n")
    assert path.exists()


def test_a_full_disk_disturbs_nothing() -> None:
    """The lines are left out."""
    with pytest.raises(OSError, match="No space left"):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    file = LogFile(Path("/dev/full"), 10)
    for _ in range(3):
        file.write(b"a line\n")


@dataclass
class Output:
    """What a scribe takes for standard output: a pipe, which is read once it is asked for."""

    reader: int
    writer: int
    _parts: list[bytes] = field(default_factory=list)
    _thread: threading.Thread | None = None

    def read(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()

    def _read_on(self) -> None:
        while part := os.read(self.reader, 2**16):
            self._parts.append(part)

    def lines(self) -> list[str]:
        """Return all that was written, once nobody writes any more."""
        os.close(self.writer)
        assert self._thread is not None
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        return b"".join(self._parts).decode().splitlines()


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[Output]:
    """Give what scribes write to."""
    made = Output(*os.pipe())
    monkeypatch.setattr(log, "STDOUT", made.writer)
    yield made
    os.close(made.reader)


def in_threads(work: Callable[[int], None], threads: int = 8) -> None:
    """Do it in several threads at once."""
    begun = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in begun:
        thread.start()
    for thread in begun:
        thread.join()


def logged(message: str, level: int = logging.INFO) -> logging.LogRecord:
    """Return what the standard library's logging hands to a handler."""
    return logging.LogRecord("tests", level, __file__, 1, message, (), None)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("started", [True, False])
def test_lines_of_many_threads_are_all_there_and_whole(
    output: Output, tmp_path: Path, log_format: str, *, started: bool
) -> None:
    """On standard output and in the file, in one order."""
    output.read()
    path = tmp_path / "log"
    log_handler = BatchedHandler(log_format, LogFile(path, 10**7))
    if started:
        log_handler.start()

    def write(thread: int) -> None:
        for number in range(200):
            log_handler.log_line(f"note {thread} {number}.", status=200)
            log_handler.handle(logged(f"record {thread} {number}."))

    in_threads(write)
    log_handler.close()
    lines = output.lines()
    texts = [json.loads(line)["message"] if log_format == "json" else line for line in lines]
    for kind in ("note", "record"):
        found = [text[text.index(kind) :] for text in texts if kind in text]
        assert sorted(found) == sorted(f"{kind} {a} {b}." for a in range(8) for b in range(200))
    assert (log_handler.dropped, len(lines)) == (0, 3200)
    assert path.read_text().splitlines() == lines


def test_a_line_begins_with_its_time(output: Output) -> None:
    """In UTC, as RFC 3339 has it, to the millisecond."""
    output.read()
    for log_format in ("text", "json"):
        BatchedHandler(log_format).log_line("one", status=200)
    text, made = output.lines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(f"{stamp} one", text)
    fields = json.loads(made)
    assert re.fullmatch(stamp, fields.pop("time"))
    assert fields == {"level": "info", "message": "one", "status": 200}


def wait_until_taken(log_handler: BatchedHandler) -> None:
    """Wait until the scribe's thread has taken what there is to write."""
    last = time.monotonic() + PATIENCE_SECONDS
    while log_handler._lines:
        assert time.monotonic() < last, "it takes nothing"
        time.sleep(0.01)


def test_a_stalled_reader_costs_no_more_than_so_many_lines(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no room is counted; what had is there once somebody reads again."""
    monkeypatch.setattr(log, "MOST_WAITING_LINES", 100)
    log_handler = BatchedHandler("text")
    log_handler.start()
    # More than the pipe holds, so that the scribe's thread waits for the reader.
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


def stalled(output: Output) -> BatchedHandler:
    """Return a scribe whose thread waits for a reader, with a line of its own to write."""
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


def test_a_stalled_reader_holds_up_nobody_who_warns(output: Output) -> None:
    """A request's thread, for instance, that finds the store out of reach."""
    log_handler = stalled(output)
    warning = threading.Thread(target=log_handler.handle, args=(logged("gone", logging.WARNING),))
    warning.start()
    warning.join(PATIENCE_SECONDS)
    is_held_up = warning.is_alive()
    output.read()
    warning.join()
    log_handler.close()
    assert "gone" in "".join(output.lines())
    assert not is_held_up


def test_a_stalled_reader_does_not_hinder_the_end(output: Output) -> None:
    """Or SIGTERM would end no process whose output nobody reads."""
    log_handler = stalled(output)
    closing = threading.Thread(target=log_handler.close)
    closing.start()
    closing.join(PATIENCE_SECONDS)
    is_held_up = closing.is_alive()
    output.read()
    closing.join()
    output.lines()
    assert not is_held_up


@pytest.mark.parametrize(
    "log_format",
    ["text", "json"],
)
def test_a_message_that_is_no_text_is_logged(output: Output, log_format: str) -> None:
    """A file's name, for instance, in an error's message; whoever logs it must not fail."""
    output.read()
    BatchedHandler(log_format).handle(logged("no file \udcff here"))
    (line,) = output.lines()
    assert "no file" in line
