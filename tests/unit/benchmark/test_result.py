"""The result of a run, as result.json stores it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmark.load.scenario import find_scenario, read_scenarios
from benchmark.report.result import RESULT, Result, read_result


def test_result_keys_are_those_of_earlier_reports(tmp_path: Path) -> None:
    """A run can be compared with a report of an earlier release."""
    result = Result(
        name="steady",
        word="INVALID",
        about="python -m serve on core 0",
        began="2026-11-28 12:00:00 +0000",
        scenario=find_scenario("steady", read_scenarios()),
        objectives=[],
        reasons_invalid=["the generator was busy"],
        figures={"p95": 1.9},
        failures={},
        environment={"cores": "2 of 2"},
        parts=[],
    )
    (tmp_path / RESULT).write_bytes(msgspec.json.encode(result))
    stored = msgspec.json.decode((tmp_path / RESULT).read_bytes())
    assert stored["doubts"] == ["the generator was busy"]
    assert stored["surroundings"] == {"cores": "2 of 2"}
    assert read_result(tmp_path) == result
