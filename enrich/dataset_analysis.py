"""Analyses of a whole dataset, for the enrichers whose values depend on all of its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection

from db.records.analysis import Analysis, all_analyses, delete_analyses, write_analysis
from db.records.dataset import Dataset, find_dataset
from db.records.observation import labels_between
from db.records.record import batches, each_record
from db.records.trained_model import active_model, read_out_of_fold
from db.settings import Settings
from db.store import tables
from db.store.generation import raise_generation
from db.store.store import Store
from enrich.enrichers.base import Enricher, Row
from enrich.planning.analysis_due import due_analyses, find_basis
from enrich.planning.plan import stamp_alone

PAGE_RECORDS = 1000


def analyse_dataset(store: Store, name: str, settings: Settings) -> dict[str, str]:
    """Make the analyses that are due, and return the basis of each by enricher."""
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        analyses = all_analyses(connection, dataset.id)
        due = [enricher for enricher, _ in due_analyses(connection, dataset, settings)]
    bases = {
        enricher.name: _analyse(store, dataset, enricher, analyses.get(enricher.name), settings)
        for enricher in due
    }
    with store.writing() as connection:
        delete_analyses(connection, dataset.id, set(dataset.spec.enrichers))
        if bases:
            # Workers in the middle of a pass make their plans again.
            raise_generation(connection)
    return bases


def _analyse(
    store: Store, dataset: Dataset, enricher: Enricher, newest: Analysis | None, settings: Settings
) -> str:
    """Make one analysis, store it as the next after `newest`, and return its basis."""
    with store.reading() as connection:
        basis = find_basis(connection, dataset, enricher) or ""
        if enricher.kind == "answers":
            findings = _analyse_answers(connection, dataset, enricher)
        else:
            rows = _rows(connection, dataset, enricher)
            findings = enricher.make().analyse(rows)
    analysis = Analysis(
        enricher=enricher.name,
        number=newest.number + 1 if newest else 1,
        basis=basis,
        fingerprint=stamp_alone(dataset, enricher.name, settings.code_paths),
    )
    with store.writing() as connection:
        write_analysis(connection, dataset.id, analysis, msgspec.json.encode(findings))
    return basis


def _rows(
    connection: Connection, dataset: Dataset, enricher: Enricher
) -> Iterator[tuple[str, Row]]:
    """Yield each record's key as hex digits, and the fields that the enricher reads."""
    for record in each_record(connection, dataset.id):
        yield record.key.hex(), {name: record.inputs[name] for name in enricher.reads}


def _analyse_answers(
    connection: Connection, dataset: Dataset, enricher: Enricher
) -> dict[str, Any]:
    """Analyse the current labels by the active model's out-of-fold answers."""
    from enrich.learning.cross_validation import decode_out_of_fold  # noqa: PLC0415  slow to import

    model = active_model(connection, dataset.id)
    stored = read_out_of_fold(connection, model) if model else None
    if stored is None:
        return {}
    answers = decode_out_of_fold(stored)
    labels = _labels(connection, dataset)
    keys, rows = answers.rows("teacher")
    # One item for each observation: the position of its record.
    labelled = [at for at, key in enumerate(keys) for _ in labels.get(key, ())]
    findings: dict[str, Any] = enricher.make().analyse(
        [keys[at].hex() for at in labelled],
        [label for key in keys for label in labels.get(key, ())],
        answers.labels,
        rows[labelled],
    )
    return findings


def _labels(connection: Connection, dataset: Dataset) -> dict[bytes, list[str]]:
    """Return the labels of the observations of each labelled record, by its key."""
    labels: dict[bytes, list[str]] = {}
    labelled = each_record(connection, dataset.id, tables.record.c.label.isnot(None))
    for page in batches(labelled, PAGE_RECORDS):
        of_page = labels_between(connection, dataset.id, page[0].id, page[-1].id)
        labels.update((record.key, of_page.get(record.id, [])) for record in page)
    return labels
