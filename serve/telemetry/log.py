"""Log lines, as text or as JSON, written in batches by one thread."""

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
# While nobody takes what is written, for instance on a pipe that nobody reads.
MOST_WAITING_LINES = 50_000
FILES_KEPT = 5
STDOUT = 1

_encode = msgspec.json.Encoder().encode


class LogFile:
    """A file that begins anew when it has grown, whichever process sees it first."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._file = self._open()

    def write(self, data: bytes) -> None:
        """Append lines; what cannot be written, on a full disk for instance, is left out."""
        try:
            if not self._is_there():
                # Others have begun it anew, or somebody has erased it.
                self._reopen()
            os.write(self._file, data)
            if os.fstat(self._file).st_size > self._most_bytes:
                self._begin_anew()
        except OSError:
            return

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _begin_anew(self) -> None:
        lock = os.open(f"{self._path}.lock", os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_there():
                for number in range(FILES_KEPT - 1, 0, -1):
                    older = Path(f"{self._path}.{number}")
                    if older.exists():
                        older.replace(f"{self._path}.{number + 1}")
                self._path.replace(f"{self._path}.1")
            self._reopen()
        finally:
            os.close(lock)

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _reopen(self) -> None:
        new = self._open()
        os.close(self._file)
        self._file = new


class BatchedHandler(logging.Handler):
    """Takes lines at once and writes them soon, many with one system call.

    Until it is started a line is written as it comes; warnings and worse, very soon after. Nobody
    waits for whoever reads them.
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
        self._second = (0, "")
        self.dropped = 0

    def start(self) -> None:
        """Begin to write behind; a process that was forked has to begin for itself."""
        self._thread = threading.Thread(target=self._write_on, name="scribe", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what waits."""
        self._closing.set()
        self._urgent.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        self.flush()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the standard library's logging."""
        fields: dict[str, object] = {"message": record.getMessage()}
        if record.exc_info:
            fields["error"] = logging.Formatter().formatException(record.exc_info)
        text = "\n".join(str(value) for value in fields.values())
        self._take(record.levelname.lower(), fields, text, record.created)
        if record.levelno >= logging.WARNING:
            self._urgent.set()

    def log_line(self, text: str, **fields: object) -> None:
        """Take a request's line: the text, and with JSON its fields besides."""
        self._take("info", {"message": text, **fields}, text, time.time())

    def _take(self, level: str, fields: dict[str, object], text: str, at: float) -> None:
        if len(self._lines) >= MOST_WAITING_LINES:
            self.dropped += 1
            return
        stamp = self._stamp(at)
        if self._as_json:
            line = _json_line({"time": stamp, "level": level, **fields})
        else:
            line = f"{stamp} {text}\n"
        self._lines.append(line)
        if self._thread is None:
            self.flush()

    def _stamp(self, at: float) -> str:
        """Return the time of day; the second's own part is made once."""
        second, text = self._second
        if second != int(at):
            second = int(at)
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, text
        return f"{text}.{int((at - second) * 1000):03d}Z"

    def flush(self) -> None:
        """Write what has come so far, unless it is being written and nobody reads it."""
        if not self._writing.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            # Only what is here now: others may add to it meanwhile.
            taken = [self._lines.popleft() for _ in range(len(self._lines))]
            if not taken:
                return
            data = "".join(taken).encode("utf-8", "backslashreplace")
            # The file first: standard output may have to wait for its reader.
            if self._file is not None:
                self._file.write(data)
            _write_all(data)
        finally:
            self._writing.release()

    def _write_on(self) -> None:
        while not self._closing.is_set():
            self._urgent.wait(FLUSH_SECONDS)
            self._urgent.clear()
            self.flush()


def _json_line(fields: dict[str, object]) -> str:
    try:
        return _encode(fields).decode() + "\n"
    except UnicodeEncodeError:
        # Half a character, out of a file name for instance.
        plain = {
            name: value.encode("utf-8", "backslashreplace").decode()
            if isinstance(value, str)
            else value
            for name, value in fields.items()
        }
        return _encode(plain).decode() + "\n"


def _write_all(data: bytes) -> None:
    """Write to standard output, for as long as somebody reads it."""
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(STDOUT, left) :]
    except OSError:
        return


def set_up_log(log_format: str, path: str = "", mebibytes: float = 10.0) -> BatchedHandler:
    """Send all log lines to standard output, and to a file where one is named; or SettingError."""
    try:
        file = LogFile(Path(path), int(mebibytes * 2**20)) if path else None
    except OSError as error:
        raise SettingError(
            f"LOG_FILE={path}: cannot be opened: {error.strerror}; name a file in a folder that is"
            " there and may be written to"
        ) from None
    log_handler = BatchedHandler(log_format, file)
    logging.basicConfig(level=logging.INFO, handlers=[log_handler], force=True)
    return log_handler
