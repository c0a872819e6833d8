"""Tests of the comparison on rows of a table: its rows, the peers' models, and what it prints."""

from __future__ import annotations

import asyncio
import csv
import importlib
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from benchmark.comparison import harness, serving
from benchmark.comparison.harness import _separators
from benchmark.comparison.rows import SPEC, row_path, rows_table
from benchmark.peers import table_data, table_models
from benchmark.peers.table_data import held_out_rows, make_rows, training_rows
from benchmark.peers.table_predictors import (
    HIST_GRADIENT_BOOSTING,
    LIGHTGBM,
    ONNX,
    load_predictor,
)
from db.spec.dataset_spec import DatasetSpec
from db.spec.toml_file import read_spec

WRK_SCRIPT = Path(harness.__file__).with_name("wrk.lua")
FILES = (HIST_GRADIENT_BOOSTING, LIGHTGBM, ONNX)
ROWS = make_rows(300, 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit small models of the peers, and return their folder."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_models, "MOST_TREES", 20)
        patch.setattr(table_models, "training_rows", lambda: make_rows(1000, 1))
        patch.setattr(sys, "argv", ["table_models", str(folder), "8"])
        table_models.main()
    return folder


def test_the_training_file_has_the_rows_that_peers_are_fitted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All models of the comparison learn the same rows."""
    file = tmp_path / "rows.csv"
    monkeypatch.setattr(sys, "argv", ["table_data", str(file)])
    table_data.main()
    with file.open(encoding="utf-8", newline="") as lines:
        read = list(csv.DictReader(lines))
    rows = [{name: str(value) for name, value in row._asdict().items()} for row in training_rows()]
    assert read == rows


def test_no_held_out_row_was_learned() -> None:
    """The error on held-out rows is that of rows never seen."""
    assert not {str(row.inputs) for row in training_rows()} & {
        str(row.inputs) for row in held_out_rows()
    }


def test_the_noise_is_all_that_a_model_cannot_predict() -> None:
    """Numbers and choices interact as the docs say."""
    left = [
        row.y
        - row.a * row.b
        - 3 * math.sin(row.b)
        - (2 * row.a if row.c == "x" else row.b)
        - (5 if row.d > 50 and row.e == "p" else 0)
        for row in make_rows(5000, 9)
    ]
    assert np.std(left) == pytest.approx(0.5, rel=0.05)
    assert np.mean(left) == pytest.approx(0, abs=0.05)


@pytest.fixture
def spec(tmp_path: Path) -> DatasetSpec:
    """Return the dataset of the comparison, as the store reads it."""
    file = tmp_path / "rows.toml"
    file.write_text(SPEC, "utf-8")
    return read_spec(file)


def test_a_request_path_has_the_fields_of_the_dataset(spec: DatasetSpec) -> None:
    """The web process reads the same values from it."""
    for row in ROWS:
        asked = dict(parse_qsl(urlsplit(row_path(row)).query))
        assert spec.read_inputs(asked) == spec.read_inputs(row.inputs)


def varied(path: str, vary: str, count: int) -> str:
    """Return the path as wrk.lua varies it."""
    [terms] = re.findall(r"^ +path = (path .*)$", WRK_SCRIPT.read_text("utf-8"), re.MULTILINE)
    values = {"path": path, "vary": vary, "count": str(count)}
    return "".join(values.get(term) or term.strip('"') for term in terms.split(" .. "))


def test_no_request_repeats_a_row(spec: DatasetSpec) -> None:
    """Digits at the end make another row of each, hardly different from it."""
    row = make_rows(1, 3)[0]
    seen = set()
    for number in range(5):
        for separator in _separators("decimals", number):
            for count in (2, 20, 200_000):
                path = varied(row_path(row), separator, count)
                inputs = spec.read_inputs(dict(parse_qsl(urlsplit(path).query)))
                assert inputs["d"] == pytest.approx(row.d, abs=0.001)
                assert inputs | {"d": row.d} == row.inputs
                seen.add((number, inputs["d"]))
    assert len(seen) == 30


def test_the_fewest_trees_with_a_low_enough_error_are_taken() -> None:
    """A peer that had more would answer later for no better answers."""
    truth = np.zeros(3)
    staged = [np.full(3, error) for error in (3.0, 2.0, 1.0, 0.5)]
    assert table_models.fewest_trees(staged, truth, 2.0) == 2 * table_models.STEP
    with pytest.raises(ValueError, match=r"do not reach an error of 0\.100"):
        table_models.fewest_trees(staged, truth, 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_each_peer_predicts_rows(folder: Path, file: str) -> None:
    """Choices and numbers arrive in the columns that the model was fitted on."""
    predict = load_predictor(folder / file)
    predictions = predict([row.codes for row in ROWS])
    errors = [number - row.y for number, row in zip(predictions, ROWS, strict=True)]
    assert np.sqrt(np.mean(np.square(errors))) < 0.9 * np.std([row.y for row in ROWS])


@pytest.mark.slow
def test_the_onnx_model_is_the_one_of_lightgbm(folder: Path) -> None:
    """Both have the same trees, so their errors are the same."""
    booster, graph = load_predictor(folder / LIGHTGBM), load_predictor(folder / ONNX)
    rows = [row.codes for row in ROWS]
    assert graph(rows) == pytest.approx(booster(rows), abs=1e-4)


@pytest.mark.slow
def test_the_peers_application_answers_what_the_model_predicts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hands each value over in its place."""
    monkeypatch.setenv("PEER_MODEL", str(folder / ONNX))
    application = importlib.import_module("benchmark.peers.table_app")
    predict: Callable[..., Any] = application.predict
    for row in ROWS[:20]:
        response = asyncio.run(predict(**row.inputs))
        [expected] = load_predictor(folder / ONNX)([row.codes])
        assert json.loads(response.body) == {"prediction": pytest.approx(expected)}


def _figures(rate: float, cpu_microseconds: float) -> list[dict[str, Any]]:
    figures = {"rate": rate, "p99": 5.0, "failures": 0, "mebibytes": 42.0}
    return [figures | {"cpu_microseconds": cpu_microseconds}]


def test_the_table_compares_with_the_best_peer() -> None:
    """Which peer is best may differ by rate and by CPU time; ours is no peer."""
    figures = {"ours": _figures(6000, 100), "fast": _figures(3000, 400), "lean": _figures(10, 200)}
    lines = rows_table(figures, dict.fromkeys(figures, 0.7), ["fast", "lean"]).splitlines()
    ours, fast, lean = (" ".join(line.split()) for line in lines[1:])
    assert ours == "ours 6,000 2.00 × 5.0 ms 10,000 2.00 × 0.700 42 MiB 0"
    assert fast == "fast 3,000 1.00 × 5.0 ms 2,500 0.50 × 0.700 42 MiB 0"
    assert lean == "lean 10 0.00 × 5.0 ms 5,000 1.00 × 0.700 42 MiB 0"


def test_sentences_are_asked_for_where_a_part_needs_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the part on rows makes its own data."""
    monkeypatch.setattr(sys, "argv", ["serving", "rows", "peers"])
    with pytest.raises(SystemExit):
        serving.main()
    assert "--data is required for all parts but rows" in capsys.readouterr().err
