"""Tests of the comparison with peers: its promises, its tables and chart, and what it sends."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmark.comparison.batches import row_batches
from benchmark.comparison.peer_servers import (
    FASTAPI_CHARACTERS,
    FASTAPI_LINEAR_GRAPH,
    FASTAPI_TREES,
    FASTAPI_WHOLE_GRAPH,
    TABLE_PEERS,
    TEXT_PEERS,
)
from benchmark.headline.chart import comparison_chart, ranking
from benchmark.headline.documents import BEGIN, DOCUMENTS, END
from benchmark.headline.promises import Measured, Promise, promises
from benchmark.headline.result import (
    BARE_ROUTE,
    GRANIAN,
    REPEATED,
    ROWS,
    SENTENCES,
    STORED,
    WAITRESS,
    HeadlineResult,
    ServerFigures,
    read_result,
    write_result,
)
from benchmark.headline.tables import docs_section, promises_table, readme_section
from benchmark.report.marked_section import insert_section
from benchmark.target.scrape import read_scrape
from tests.conftest import ROOT

FOLDER = ROOT / "docs/standing"
LIGHTGBM = "FastAPI + LightGBM"


def figures(name: str, inputs: str, rate: float, **others: Any) -> ServerFigures:  # noqa: ANN401
    """Return the figures of a server that uses all of its core."""
    known = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "failures": 0.0, "mebibytes": 40.0}
    known |= {"cpu_microseconds": 1e6 / rate, "start_seconds": 1.0, **others}
    return msgspec.convert({"name": name, "inputs": inputs, "rate": rate, **known}, ServerFigures)


@pytest.fixture
def result() -> HeadlineResult:
    """Return a comparison in round figures."""
    posts = {"post_milliseconds": 20.0, "post_cpu_milliseconds": 20.0}
    slow_posts = {"post_milliseconds": 80.0, "post_cpu_milliseconds": 100.0}
    return HeadlineResult(
        {"date": "2026-11-29", "cpu": "a processor", "load": "a load", "data": "9 rows, sha256 x"},
        [
            figures(BARE_ROUTE, REPEATED, 8000),
            figures(WAITRESS, REPEATED, 8800, quality=0.888),
            figures(WAITRESS, STORED, 5000, quality=0.888),
            figures(
                WAITRESS, SENTENCES, 5000, quality=0.888, recorded=0.75, start_seconds=0.25, **posts
            ),
            figures(GRANIAN, SENTENCES, 12000, quality=0.888),
            figures(FASTAPI_LINEAR_GRAPH, SENTENCES, 2000, quality=0.876, failures=3.0),
            figures(FASTAPI_WHOLE_GRAPH, SENTENCES, 1000, quality=0.876),
            figures(FASTAPI_CHARACTERS, SENTENCES, 500, quality=0.886, **slow_posts),
            figures(WAITRESS, ROWS, 7000, quality=0.684, **posts),
            figures(GRANIAN, ROWS, 12000, quality=0.684),
            figures(LIGHTGBM, ROWS, 4000, quality=0.69),
            figures(FASTAPI_TREES, ROWS, 600, quality=0.69, **posts),
        ],
        start_mebibytes=42.0,
        connected_mebibytes=51.0,
        enrichment_microseconds=24.0,
        store_rate=100_000.0,
    )


def test_the_documents_show_what_was_measured() -> None:
    """The tables of README and docs are those that the stored comparison produces."""
    stored = read_result(FOLDER)
    for file, section in DOCUMENTS.items():
        text = file.read_text("utf-8")
        assert insert_section(text, section(stored), BEGIN, END) == text
        assert text.count(BEGIN) == text.count(END) == 1


def test_the_chart_shows_what_was_measured(tmp_path: Path) -> None:
    """Drawing the stored comparison again produces the same file."""
    comparison_chart(read_result(FOLDER)).save(tmp_path)
    chart = (tmp_path / "standing.svg").read_text("utf-8")
    assert chart == (FOLDER / "standing.svg").read_text("utf-8")
    assert "](docs/standing/standing.svg)" in (ROOT / "README.md").read_text("utf-8")


def test_every_server_was_measured_with_unseen_inputs() -> None:
    """The comparison is only fair if all servers get the same kind of inputs."""
    stored = read_result(FOLDER)
    assert {one.name for one in ranking(stored, SENTENCES)} == {WAITRESS, GRANIAN, *TEXT_PEERS}
    assert {one.name for one in ranking(stored, ROWS)} == {WAITRESS, GRANIAN, *TABLE_PEERS}
    unseen = [one for one in stored.servers if one.inputs in {SENTENCES, ROWS}]
    assert all(one.quality for one in unseen)


@pytest.mark.parametrize(
    ("value", "at_least", "aim", "verdict"),
    [
        (2.4, 2.5, 3.5, "missed"),
        (2.5, 2.5, 3.5, "met"),
        (3.5, 2.5, 3.5, "aim met"),
        (43.1, 43, 38, "missed"),
        (43.0, 43, 38, "met"),
        (37.0, 43, 38, "aim met"),
    ],
)
def test_a_promise_is_kept_from_its_least_value_on(
    value: float, at_least: float, aim: float, verdict: str
) -> None:
    """Less is better where the aim is below the least value, as with memory."""
    assert Measured("", value, "", at_least, aim).verdict == verdict


def test_promises_compare_with_the_fastest_peer(result: HeadlineResult) -> None:
    """The fastest is the one with the highest rate for the same inputs, ours apart."""
    kept = promises(result)
    assert len(kept) == 8
    found = [(round(part.value, 2), part.verdict) for row in kept for part in row.parts]
    assert found == [
        (2.5, "met"),
        (6.0, "aim met"),
        (1.75, "met"),
        (3.0, "met"),
        (1.1, "met"),
        (0.62, "missed"),
        (1.0, "met"),
        (4.0, "met"),
        (42.0, "met"),
        (51.0, "missed"),
        (4.0, "met"),
        (24.0, "aim met"),
    ]
    assert FASTAPI_LINEAR_GRAPH in kept[0].what
    assert kept[0].parts[0].figures == f"5,000 of 2,000/s; 5.00 × {FASTAPI_WHOLE_GRAPH}"
    assert LIGHTGBM in kept[2].what


def test_the_best_peer_may_be_another_one_by_cpu_time(result: HeadlineResult) -> None:
    """One that waits for something may be slow and take little of the core."""
    lean = figures("lean", ROWS, 100, cpu_microseconds=100.0)
    [waitress, _] = promises(msgspec.structs.replace(result, servers=[*result.servers, lean]))[
        2
    ].parts
    assert waitress.value == pytest.approx(7000 / 4000)
    assert waitress.of_cpu == pytest.approx(100 * 7000 / 1e6)


def test_a_post_is_compared_by_time_and_by_cpu_time(result: HeadlineResult) -> None:
    """More than 1 is sooner than the peer, or less of its CPU time."""
    [rows, sentences] = promises(result)[4].parts
    assert (rows.value, rows.of_cpu) == (1.0, 1.0)
    assert (sentences.value, sentences.of_cpu) == (4.0, 5.0)
    assert sentences.figures == "20 ms, 80 ms"


def test_the_table_of_promises_has_one_row_each() -> None:
    """Two figures of a promise stand beside each other."""
    parts = [Measured("a of b", 1.25, " ×", 1, 2, 1.5), Measured("c of d", 12.04, " ×", 20, 30)]
    table = promises_table([Promise("speed", parts)])
    heading, _, row = table.splitlines()
    assert heading == "| what | measured | result | by CPU time | at least | aim |  |"
    assert row == (
        "| speed | a of b / c of d | 1.25 × / 12.0 × | 1.50 × / – | 1 × / 20 × | 2 × / 30 ×"
        " | met / missed |"
    )


def test_the_readme_shows_the_best_peers_and_one_that_is_usual(result: HeadlineResult) -> None:
    """Its table is short: no start, no POST, no peer that is neither fast nor usual."""
    lines = readme_section(result).splitlines()
    assert lines[0].startswith("|  | inputs | quality | requests/s | of the best peer |")
    assert (
        f"| {FASTAPI_CHARACTERS} | {SENTENCES} | accuracy .886 | 500 | 0.25 × | 2.0 ms | 40 MiB |"
        in lines
    )
    assert f"| {WAITRESS} | {ROWS} | RMSE .684 | 7,000 | 1.75 × | 2.0 ms | 40 MiB |" in lines
    assert "start" not in lines[0]


def test_the_docs_show_all_figures_of_all_servers(result: HeadlineResult) -> None:
    """Among them the share of inputs that were recorded, where there are any to record."""
    section = docs_section(result)
    assert (
        f"| {WAITRESS} | {SENTENCES} | accuracy .888 | 5,000 | 2.50 × | 200 µs | 2.50 × | 1.0 ms"
        " | 2.0 ms | 3.0 ms | 0 | 75% | 20 ms | 0.25 s | 40 MiB |" in section
    )
    assert "| 3.0 ms | 3 |  |  | 1.00 s | 40 MiB |" in section
    assert all(one.name in section for one in result.servers)
    assert "a load; 9 rows of sentences" in section


def test_a_result_reads_as_it_was_written(tmp_path: Path, result: HeadlineResult) -> None:
    """No figure is lost on the way."""
    write_result(result, tmp_path / "new")
    assert read_result(tmp_path / "new") == result


def test_a_section_is_replaced_between_its_marks_alone() -> None:
    """What stands before and after is kept."""
    text = f"before\n{BEGIN}old\n{END}\nafter\n"
    assert insert_section(text, "new", BEGIN, END) == f"before\n{BEGIN}new\n{END}\nafter\n"


def test_no_round_sends_the_items_of_another() -> None:
    """A stored item would be answered without the model."""
    items = [
        json.dumps(item)
        for first in (0, 2)
        for body in islice(row_batches().bodies(first), 2)
        for item in json.loads(body)
    ]
    assert len(set(items)) == len(items) == 4000


def test_inputs_that_were_not_recorded_are_counted_for_any_reason() -> None:
    """What waits is not lost."""
    metrics = read_scrape(
        "veilleuse_web_memory_bytes 1048576\n"
        "veilleuse_unseen_queue_inputs 100\n"
        "veilleuse_unseen_queue_dropped 1\n"
        "veilleuse_unseen_queue_refused 2\n"
        "veilleuse_unseen_queue_over_share 4\n"
    )
    assert metrics is not None
    assert metrics.unrecorded_inputs == 7
