"""Tests of the command line of benchmark/run.sh."""

from __future__ import annotations

import sys

import pytest

from benchmark.load.scenario import ScenarioError
from benchmark.options import Options, read_options


def options(monkeypatch: pytest.MonkeyPatch, host: str) -> Options:
    """Return the options of a run against a server."""
    monkeypatch.setattr(sys, "argv", ["benchmark/run.sh", "--host", host])
    return read_options()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("models.example", "http://models.example"),
        ("[::1]:8000/ml/", "http://[::1]:8000/ml"),
        ("https://models.example/ml/", "https://models.example/ml"),
        ("", ""),
    ],
)
def test_a_server_may_be_named_without_a_scheme(
    monkeypatch: pytest.MonkeyPatch, given: str, url: str
) -> None:
    """The name and port are what people copy."""
    assert options(monkeypatch, given).host == url


@pytest.mark.parametrize("given", ["ftp://a", "http://", "http://a?b=1"])
def test_what_is_no_server_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Each request would fail, and the run prove nothing."""
    with pytest.raises(ScenarioError, match="not the URL of a server"):
        options(monkeypatch, given)
