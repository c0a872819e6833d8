"""The format of log lines: a time as the web process's log has it, and the message."""

from __future__ import annotations

import logging
import sys
import time

from .error_line import clear_line


class LogFormatter(logging.Formatter):
    """Writes times in UTC as ISO 8601, and removes a progress bar from the line."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return clear_line(sys.stderr) + super().format(record)


def log_to_stderr() -> None:
    """Write the log of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
