"""Averages of a gate's readings over ten seconds."""

from __future__ import annotations

import pytest

from db.traffic.web_load import WebLoad
from enrich.gate.averages import FLUSH_SECONDS, Averages
from enrich.gate.machine.reading import Reading


def test_each_reading_counts_for_as_long_as_it_held() -> None:
    """The gate's state is weighted in the same way; a figure that was never read is None."""
    averages = Averages(0.0)
    averages.add(Reading(foreign_cores=2.0), 1.0, is_open=False)
    averages.add(Reading(foreign_cores=0.5, web=WebLoad(10.0)), 10.0, is_open=True)
    means = averages.flush(FLUSH_SECONDS)
    assert means is not None
    assert means.foreign_cores == pytest.approx((2.0 * 1 + 0.5 * 9) / 10)
    assert means.open_share == pytest.approx(0.9)
    assert means.web_requests == pytest.approx(10.0)
    assert means.memory_share is None


def test_averages_are_flushed_every_ten_seconds_and_start_over() -> None:
    """A flush before ten seconds have passed returns None."""
    averages = Averages(0.0)
    assert averages.flush(FLUSH_SECONDS) is None
    averages.add(Reading(memory_share=0.5), 9.0, is_open=True)
    assert averages.flush(9.0) is None
    averages.add(Reading(memory_share=0.7), 11.0, is_open=True)
    assert averages.flush(11.0) is not None
    assert averages.flush(11.5) is None
    averages.add(Reading(memory_share=0.9), 21.0, is_open=False)
    later = averages.flush(21.0)
    assert later is not None
    assert later.memory_share == pytest.approx(0.9)
    assert later.open_share == 0.0
