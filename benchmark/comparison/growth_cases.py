"""The dimensions in which the web process grows, with a store for each size of each.

Every store is made of made-up rows by the commands that a user runs, so that its models are real.
"""

from __future__ import annotations

import csv
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from benchmark.load.inputs import Inputs, predict_path
from benchmark.processes import call, environment_of, pin_to_cores

from .harness import (
    LOAD_CORE,
    RECORDS_ALL,
    SERVER_CORE,
    Contender,
    StoreSetup,
    Vary,
    WorkloadScale,
    veilleuse_server,
)

PROCESSES, DATASETS, LABELS, COLUMNS = (1, 2), (1, 10, 100), (2, 10, 100, 1000), (5, 50, 500)
# 3,900 of these words are nearly the 20,000 characters that the texts of a dataset may have.
WORDS = (5, 50, 500, 3900)
# Training stops to add trees the sooner the more noise there is: after some 10, 50 and 150.
NOISES = (18.0, 7.0, 2.0)
COMMON_LABELS, COMMON_WORDS = 10, 8
# Enough for models that beat a constant, and few enough to train the largest within minutes.
TEXT_ROWS, MOST_WORDS, COLUMN_ROWS, TREE_ROWS, DATASET_ROWS = 1000, 200_000, 600, 1500, 60
SENT_ROWS = 200
SPEC = """
name = "{name}"
kind = "classification"
target = "label"
[fields.{field}]
type = "text"
[enrichers.text_profile]
"""
_SYLLABLES = ["".join(letters) for letters in itertools.product("bcdfglmnprstv", "aeiou")]
VOCABULARY = ["".join(pair) for pair in itertools.product(_SYLLABLES, _SYLLABLES)][:3000]
Row: TypeAlias = dict[str, str | float]


@dataclass(frozen=True)
class MadeUpTable:
    """A dataset: its rows to learn from, and inputs to send, which are none of them."""

    name: str
    target: str
    rows: list[Row]
    sent: list[Inputs]
    vary: Vary

    def write(self, file: Path) -> None:
        """Write the rows to learn from as CSV."""
        with file.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)

    @property
    def paths(self) -> list[str]:
        """The paths of the requests; each ends in the value that `vary` continues."""
        return [predict_path(self.name, inputs) for inputs in self.sent]


def _split(name: str, target: str, rows: Sequence[Row], vary: Vary) -> MadeUpTable:
    """Return a table that learns all but the last rows, whose inputs are sent."""
    sent = [{key: row[key] for key in row if key != target} for row in rows[-SENT_ROWS:]]
    return MadeUpTable(name, target, list(rows[:-SENT_ROWS]), sent, vary)


def text_table(name: str, labels: int, words: int, rows: int, field: str = "text") -> MadeUpTable:
    """Return made-up texts: every fifth word is one of three that are the label's own."""
    source = random.Random(name)  # noqa: S311  no secret

    def text(label: int) -> str:
        chosen = source.choices(VOCABULARY, k=words)
        for at in range(0, words, 5):
            chosen[at] = VOCABULARY[(3 * label + source.randrange(3)) % len(VOCABULARY)]
        return " ".join(chosen)

    made: list[Row] = [
        {field: text(number % labels), "label": f"label {number % labels}"}
        for number in range(rows + SENT_ROWS)
    ]
    return _split(name, "label", made, "word")


def number_table(
    name: str, columns: int, rows: int, truth: Callable[[list[float]], float], noise: float
) -> MadeUpTable:
    """Return rows of random numbers, and a number that depends on them."""
    source = random.Random(name)  # noqa: S311  no secret

    def row() -> Row:
        values = [round(source.uniform(-5, 5), 3) for _ in range(columns)]
        named = {f"c{at:03d}": value for at, value in enumerate(values)}
        return {"y": round(truth(values) + source.gauss(0, noise), 4), **named}

    return _split(name, "y", [row() for _ in range(rows + SENT_ROWS)], "decimals")


def weighted_sum(values: list[float]) -> float:
    """Return a number to which each column adds something else."""
    return sum((1 + at % 7) * value for at, value in enumerate(values))


def interaction(values: list[float]) -> float:
    """Return a number that only trees can learn, not even products of two columns."""
    return values[0] * values[1] * (1 if values[2] > 0 else -1)


@dataclass(frozen=True)
class Case:
    """A point of a dimension: a server on a store, what it is sent, and its kind of model."""

    dimension: str
    size: int
    model: str
    contender: Contender


class GrowthStores:
    """The stores of all dimensions; those that are in the folder already are not made again."""

    def __init__(self, folder: Path, scale: WorkloadScale) -> None:
        self._folder, self._scale = folder, scale

    def setup(self, name: str, tables: Sequence[MadeUpTable]) -> StoreSetup:
        """Return a store with a trained model of each table."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        environment = environment_of(f"sqlite:///{folder}/store.db")
        setup = StoreSetup(self._scale, environment | RECORDS_ALL, folder)
        made = folder / "made"
        if not made.exists():
            began = time.monotonic()
            call(environment, "db", "upgrade")
            _make_one(setup, tables[0]) if len(tables) == 1 else _make_many(setup, tables)
            made.touch()
            print(f"{name}: made in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return setup

    def case(self, dimension: str, size: int, table: MadeUpTable) -> Case:
        """Return the case of a store with one dataset."""
        return _case(dimension, size, self.setup(table.name, [table]), table, table.paths)

    def text_case(self, dimension: str, size: int, labels: int, words: int) -> Case:
        """Return the case of a store with texts."""
        rows = max(min(TEXT_ROWS, MOST_WORDS // words), 3 * labels)
        return self.case(dimension, size, text_table(f"text-{labels}-{words}", labels, words, rows))


def _make_one(setup: StoreSetup, table: MadeUpTable) -> None:
    """Infer a dataset from its rows, as for a user's first file, import them, and train."""
    data, spec = setup.folder / "rows.csv", setup.folder / "spec.toml"
    table.write(data)
    inferred = ("--target", table.target, "--name", table.name, "--out", str(spec), "--force")
    call(setup.environment, "db", "infer", str(data), *inferred)
    call(setup.environment, "db", "load", str(spec))
    _import_and_train(setup, table)


def _make_many(setup: StoreSetup, tables: Sequence[MadeUpTable]) -> None:
    """Load the specs of many datasets at once, import and train two at a time."""
    for table in tables:
        spec = SPEC.format(name=table.name, field=next(iter(table.sent[0])))
        (setup.folder / f"{table.name}.toml").write_text(spec, "utf-8")
    call(setup.environment, "db", "load", *map(str, setup.folder.glob("*.toml")))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda table: _import_and_train(setup, table), tables))


def _import_and_train(setup: StoreSetup, table: MadeUpTable) -> None:
    data = setup.folder / f"{table.name}.csv"
    table.write(data)
    call(setup.environment, "db", "import", table.name, str(data))
    call(setup.environment, "enrich", "train", table.name)


def _metrics(setup: StoreSetup, table: MadeUpTable) -> dict[str, Any]:
    [model] = json.loads(call(setup.environment, "enrich", "models", table.name, "--json"))
    metrics: dict[str, Any] = model["metrics"]
    return metrics


def _case(
    dimension: str, size: int, setup: StoreSetup, table: MadeUpTable, paths: Sequence[str]
) -> Case:
    """Return a case; its size is the number of trees of the model if it is given as 0."""
    file = setup.folder / f"paths of {dimension}"
    file.write_text("\n".join(paths), "ascii")
    metrics = _metrics(setup, table)
    size = size or metrics["student_trees"]
    server = veilleuse_server(setup, f"{dimension} {size}, {setup.folder.name}")
    contender = Contender(server, file, table.vary)
    return Case(dimension, size, metrics["student_estimator"], contender)


def processes(stores: GrowthStores) -> Iterator[Case]:
    """Web processes on both cores, which they share with the load."""
    for name, size in itertools.product(("waitress", "granian"), PROCESSES):
        case = stores.text_case(f"processes, {name}", size, COMMON_LABELS, COMMON_WORDS)
        server = case.contender.server
        command = [*pin_to_cores(SERVER_CORE | LOAD_CORE), *server.command]
        settings = {"SERVER": name, "WEB_CONCURRENCY": f"{size}"}
        server = replace(server, command=command, environment={**server.environment, **settings})
        yield replace(case, contender=replace(case.contender, server=server))


def datasets(stores: GrowthStores) -> Iterator[Case]:
    """Datasets that are asked in turn, by name, and by nothing but their fields."""
    for size in DATASETS:
        tables = [
            text_table(f"growth{at}", 2, COMMON_WORDS, DATASET_ROWS, f"text{at}")
            for at in range(size)
        ]
        setup = stores.setup(f"datasets-{size}", tables)
        named = [path for paths in zip(*(one.paths for one in tables), strict=True)
                 for path in paths]  # fmt: skip
        yield _case("datasets", size, setup, tables[0], named)
        unnamed = [f"/predict?{path.partition('?')[2]}" for path in named]
        yield _case("datasets, by fields", size, setup, tables[0], unnamed)


def labels(stores: GrowthStores) -> Iterator[Case]:
    """Labels of short texts."""
    return (stores.text_case("labels", size, size, COMMON_WORDS) for size in LABELS)


def words(stores: GrowthStores) -> Iterator[Case]:
    """Words of a text, up to the longest that there may be."""
    return (stores.text_case("words", size, COMMON_LABELS, size) for size in WORDS)


def columns(stores: GrowthStores) -> Iterator[Case]:
    """Columns of numbers."""
    for size in COLUMNS:
        table = number_table(f"columns-{size}", size, COLUMN_ROWS, weighted_sum, 1.0)
        yield stores.case("columns", size, table)


def trees(stores: GrowthStores) -> Iterator[Case]:
    """Trees of a model of five columns, as many as training chose."""
    for noise in NOISES:
        yield stores.case(
            "trees", 0, number_table(f"trees-{noise:g}", 5, TREE_ROWS, interaction, noise)
        )


DIMENSIONS = {one.__name__: one for one in (processes, datasets, labels, words, columns, trees)}
