"""What the stored values and answers of an http enricher are found by."""

from __future__ import annotations

from typing import Any

from db.records.dataset import Dataset
from db.spec.section import EnricherSpec
from enrich.enrichers.base import find_enrichers
from enrich.enrichers.http.enricher import Http
from enrich.planning.plan import make_plan
from tests.conftest import notes_spec

CONFIG: dict[str, Any] = {
    "url": "http://x.test/",
    "method": "POST",
    "body": {"a": "{sentence}", "b": [1, 2.5]},
    "headers": {"Authorization": "Bearer ${K}"},
    "answer": "a.b",
    "tries": 2,
    "calls_per_second": 5,
    "budget_calls": 10,
    "budget_days": 3,
    "timeout_seconds": 1,
}


def test_values_and_answers_that_are_stored_stay_valid() -> None:
    """A new fingerprint or hash would let every user pay for every call again."""
    spec = notes_spec({"j": EnricherSpec(use="http", reads=("sentence",), config=CONFIG)})
    [step] = make_plan(Dataset(1, spec, (), 1), None, find_enrichers(spec, ()), {})
    assert step.fingerprint == "6ed3c7e9ed71ae9c"
    assert Http(**CONFIG).request({"sentence": "é /"}).hash.startswith("e79c6c40a62b073b")
