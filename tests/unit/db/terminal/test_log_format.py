"""Tests of log lines."""

from __future__ import annotations

import logging

from db.cli.terminal.log_format import LogFormatter


def test_a_log_line_has_the_time_in_utc_as_the_web_process_writes_it() -> None:
    """So that one log of both has one format."""
    record = logging.makeLogRecord({"msg": "worker 1 has started", "created": 1.5, "msecs": 500.0})
    assert LogFormatter().format(record) == "1970-01-01T00:00:01.500Z worker 1 has started"
