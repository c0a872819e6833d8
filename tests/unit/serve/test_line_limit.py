"""Tests of the limit on log lines of one kind."""

from __future__ import annotations

from serve.telemetry.line_limit import LineLimit


def test_a_flood_writes_a_bounded_number_of_lines_a_second() -> None:
    """Each kind has its own; the lines that are left out are counted."""
    limit = LineLimit(lines_per_second=3)
    admitted = [limit.admits("404", 10.0 + step / 100) for step in range(90)]
    assert sum(admitted) == 3
    assert limit.admits("401", 10.95)
    assert limit.take_skipped(10.99) == {}
    assert limit.take_skipped(11.0) == {"404": 87}
    assert limit.take_skipped(12.0) == {}
    assert limit.admits("404", 11.0)
