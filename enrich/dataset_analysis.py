"""Analyses of a whole dataset, for the enrichers whose values depend on all of its records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection

from db.records.analysis import Analysis, delete_analyses, write_analysis
from db.records.dataset import Dataset, find_dataset
from db.records.encoded_inputs import batches
from db.records.enrichment import each_vector, labelled_vectors
from db.records.models.model_versions import read_out_of_fold
from db.records.models.trained_model import active_model
from db.records.observation import labels_between
from db.records.record import each_record
from db.settings import Settings
from db.store import tables
from db.store.generation import raise_generation
from db.store.store import Store
from enrich.enrichers.base import Enricher, Row
from enrich.planning.analysis_due import DueAnalysis, due_analyses, find_basis
from enrich.planning.plan import PlannedAnalysis

PAGE_RECORDS = 1000
# Each vector is compared with those of at most so many labelled records.
MOST_COMPARED = 20_000


def analyse_dataset(store: Store, name: str, settings: Settings) -> dict[str, str]:
    """Make the analyses that are due, and return the basis of each by enricher."""
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        due = due_analyses(connection, dataset, settings)
    bases = {one.planned.enricher.name: _analyse(store, dataset, one) for one in due}
    with store.writing() as connection:
        delete_analyses(connection, dataset.id, set(dataset.spec.enrichers))
        if bases:
            # Workers in the middle of a pass make their plans again.
            raise_generation(connection)
    return bases


def _analyse(store: Store, dataset: Dataset, due: DueAnalysis) -> str:
    """Make one analysis, store it as the next after the newest, and return its basis."""
    with store.reading() as connection:
        basis = find_basis(connection, dataset, due.planned) or ""
        findings = _findings(connection, dataset, due.planned)
    analysis = Analysis(
        enricher=due.planned.enricher.name,
        number=due.newest.number + 1 if due.newest else 1,
        basis=basis,
        fingerprint=due.planned.fingerprint,
    )
    with store.writing() as connection:
        write_analysis(connection, dataset.id, analysis, msgspec.json.encode(findings))
    return basis


def _findings(connection: Connection, dataset: Dataset, planned: PlannedAnalysis) -> dict[str, Any]:
    enricher = planned.enricher
    if enricher.kind == "answers":
        return _analyse_answers(connection, dataset, enricher)
    if enricher.kind == "vectors":
        return _analyse_vectors(connection, dataset, planned)
    findings: dict[str, Any] = enricher.make().analyse(_rows(connection, dataset, enricher))
    return findings


def _rows(
    connection: Connection, dataset: Dataset, enricher: Enricher
) -> Iterator[tuple[str, Row]]:
    """Yield each record's key as hex digits, and the fields that the enricher reads."""
    for record in each_record(connection, dataset.id):
        yield record.key.hex(), {name: record.inputs[name] for name in enricher.reads}


def _analyse_vectors(
    connection: Connection, dataset: Dataset, planned: PlannedAnalysis
) -> dict[str, Any]:
    """Analyse the fresh vectors of the enricher that is read."""
    [(name, fingerprint)] = planned.reads.items()
    vectors = dataset.id, name, fingerprint
    findings: dict[str, Any] = planned.enricher.make().analyse(
        labelled_vectors(connection, *vectors, MOST_COMPARED), each_vector(connection, *vectors)
    )
    return findings


def _analyse_answers(
    connection: Connection, dataset: Dataset, enricher: Enricher
) -> dict[str, Any]:
    """Analyse the current labels by the active model's out-of-fold answers."""
    from enrich.learning.quality.out_of_fold import (  # noqa: PLC0415  slow to import
        decode_out_of_fold,
    )

    model = active_model(connection, dataset.id)
    stored = read_out_of_fold(connection, model) if model else None
    if stored is None:
        return {}
    answers = decode_out_of_fold(stored)
    labels = _labels(connection, dataset)
    keys, rows = answers.split_keys(), answers.rows("teacher")
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
