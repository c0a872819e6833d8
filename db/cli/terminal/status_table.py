"""The tables of `db status`: what the store contains, and what is up to date."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from .colour import paint
from .table import Column, format_table

_DATASETS = (
    Column("dataset"),
    Column("records", is_number=True),
    Column("rows", is_number=True),
    Column("labelled", is_number=True),
    Column("requested", is_number=True),
    Column("chunks", is_number=True),
    Column("quarantined", is_number=True),
    Column("model"),
)
_ENRICHERS = (
    Column("dataset"),
    Column("enricher"),
    Column("up to date", is_number=True),
    Column("of records", is_number=True),
)


def format_store_status(status: Mapping[str, Any], stream: IO[str]) -> Iterator[str]:
    """Yield the lines of what `store_status` reports."""
    yield f"store: {status['bytes'] / 2**20:,.1f} MiB, generation {status['generation']}"
    datasets = status["datasets"]
    if datasets:
        yield ""
        yield from format_table(_DATASETS, [_dataset_row(one) for one in datasets], stream)
    enriched = [row for one in datasets for row in _enricher_rows(one)]
    if enriched:
        yield ""
        yield from format_table(_ENRICHERS, enriched, stream)
    yield from (_accuracy(one) for one in datasets if one["estimated"])
    for fault in status["faults"]:
        line = f"{fault['dataset']}: {fault['subject']} is stopped: {fault['reason']}"
        yield paint(line, "red", stream)
    if not datasets and not status["faults"]:
        yield "no datasets; register one: python -m db load FILE"


def _dataset_row(dataset: Mapping[str, Any]) -> Sequence[str]:
    names = ("records", "observations", "labelled", "asked", "chunks", "quarantined")
    counts = [_count_text(dataset[name], dataset, name) for name in names]
    return dataset["name"], *counts, dataset["model"] or "none"


def _enricher_rows(dataset: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    records = _count_text(dataset["records"], dataset, "records")
    for name, count in dataset["enriched"].items():
        yield dataset["name"], name, _count_text(count, dataset, "enriched"), records


def _count_text(count: int, dataset: Mapping[str, Any], name: str) -> str:
    return f"~{_rounded(count):,}" if name in dataset["estimated"] else f"{count:,}"


def _rounded(count: float) -> int:
    """Return a number with three digits that are not zero."""
    return int(float(f"{count:.3g}"))


def _accuracy(dataset: Mapping[str, Any]) -> str:
    """Return a line on how far an estimated number may be off."""
    records, share = dataset["records"], dataset["sampled_share"]
    return (
        f"{dataset['name']}: ~ is estimated from one record in {1 / share:,.0f};"
        f" the standard error of ~{_rounded(records):,} is {_rounded(math.sqrt(records / share)):,}"
    )
