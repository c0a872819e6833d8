"""Log lines as text or JSON, written in batches by a background thread."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections import deque
from pathlib import Path

import msgspec

from db.errors import SettingError

FLUSH_SECONDS = 0.2
CLOSE_SECONDS = 1.0
# Lines wait in memory while standard output is blocked, such as a pipe without a reader.
MOST_WAITING_LINES = 50_000
FILES_KEPT = 5
STDOUT = 1

_encode = msgspec.json.Encoder().encode


class LogFile:
    """A log file shared by several processes, any of which rotates it once it is too large."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._file = self._open()

    def write(self, data: bytes) -> None:
        """Append lines; drop them if they cannot be written, for instance on a full disk."""
        try:
            if not self._is_current():
                # Another process has rotated the file, or it was deleted.
                self._reopen()
            os.write(self._file, data)
            if os.fstat(self._file).st_size > self._most_bytes:
                self._rotate()
        except OSError:
            return

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _rotate(self) -> None:
        lock = os.open(f"{self._path}.lock", os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Another process may have rotated the file while this one waited for the lock.
            if self._is_current():
                for number in range(FILES_KEPT - 1, 0, -1):
                    older = Path(f"{self._path}.{number}")
                    if older.exists():
                        older.replace(f"{self._path}.{number + 1}")
                self._path.replace(f"{self._path}.1")
            self._reopen()
        finally:
            os.close(lock)

    def _is_current(self) -> bool:
        """Return True if the path still names the open file."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        new = self._open()
        os.close(self._file)
        self._file = new


class BatchedHandler(logging.Handler):
    """A log handler that queues lines and writes them in batches, with one system call each.

    Callers never wait for a slow reader of the log. Before `start` each line is written at once;
    afterwards within FLUSH_SECONDS, and warnings and errors as soon as the thread wakes up.
    """

    def __init__(self, log_format: str, file: LogFile | None = None) -> None:
        super().__init__()
        self._as_json = log_format == "json"
        self._file = file
        self._lines: deque[str] = deque()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._urgent = threading.Event()
        self._thread: threading.Thread | None = None
        self._formatted_second = (0, "")
        self.dropped = 0

    def start(self) -> None:
        """Start the writing thread; a forked process must start its own."""
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write all queued lines and stop the thread."""
        self._closing.set()
        self._urgent.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        self.flush()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record of the standard library's logging."""
        fields: dict[str, object] = {"message": record.getMessage()}
        if record.exc_info:
            fields["error"] = logging.Formatter().formatException(record.exc_info)
        text = "\n".join(str(value) for value in fields.values())
        self._append(record.levelname.lower(), text, fields, record.created)
        if record.levelno >= logging.WARNING:
            self._urgent.set()

    def log_line(self, text: str, **fields: object) -> None:
        """Queue a line of level info: the text, and in JSON the fields as well."""
        self._append(
            "info", text, {"message": text, **fields} if self._as_json else {}, time.time()
        )

    def _append(self, level: str, text: str, fields: dict[str, object], at: float) -> None:
        if len(self._lines) >= MOST_WAITING_LINES:
            self.dropped += 1
            return
        timestamp = self._timestamp(at)
        if self._as_json:
            line = _json_line({"time": timestamp, "level": level, **fields})
        else:
            line = f"{timestamp} {text}\n"
        self._lines.append(line)
        if self._thread is None:
            self.flush()

    def _timestamp(self, at: float) -> str:
        """Return a time as ISO 8601 in UTC, formatting each second only once."""
        second, text = self._formatted_second
        if second != int(at):
            second = int(at)
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._formatted_second = second, text
        return f"{text}.{int((at - second) * 1000):03d}Z"

    def flush(self) -> None:
        """Write all queued lines, unless another thread is blocked while writing."""
        if not self._writing.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            # Only the lines queued so far: other threads may add more in the meantime.
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if not lines:
                return
            data = "".join(lines).encode("utf-8", "backslashreplace")
            # The file first: standard output may be blocked.
            if self._file is not None:
                self._file.write(data)
            _write_to_stdout(data)
        finally:
            self._writing.release()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._urgent.wait(FLUSH_SECONDS)
            self._urgent.clear()
            self.flush()


def _json_line(fields: dict[str, object]) -> str:
    try:
        return _encode(fields).decode() + "\n"
    except UnicodeEncodeError:
        # Lone surrogates, from a file name for instance.
        escaped = {
            name: value.encode("utf-8", "backslashreplace").decode()
            if isinstance(value, str)
            else value
            for name, value in fields.items()
        }
        return _encode(escaped).decode() + "\n"


def _write_to_stdout(data: bytes) -> None:
    """Write to standard output; drop the rest if it is closed."""
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(STDOUT, left) :]
    except OSError:
        return


def set_up_log(log_format: str, path: str = "", mebibytes: float = 10.0) -> BatchedHandler:
    """Send all log lines to standard output, and to a file if `path` names one.

    Raises SettingError if the file cannot be opened.
    """
    try:
        file = LogFile(Path(path), int(mebibytes * 2**20)) if path else None
    except OSError as error:
        raise SettingError(
            f"LOG_FILE={path}: cannot be opened: {error.strerror}; name a file in a folder that"
            " exists and is writable"
        ) from None
    log_handler = BatchedHandler(log_format, file)
    logging.basicConfig(level=logging.INFO, handlers=[log_handler], force=True)
    return log_handler
