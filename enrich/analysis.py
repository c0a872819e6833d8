"""Surveys: looks at a whole set of records, for the enrichers that need one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection

from db.records.analysis import Analysis, all_analyses, delete_analyses, write_analysis
from db.records.dataset import Dataset, find_dataset
from db.records.model import active_model, read_out_of_fold
from db.records.record import each_record
from db.settings import Settings
from db.store import tables
from db.store.engine import Store
from db.store.generation import raise_generation
from enrich.enrichers.base import Enricher, Row
from enrich.planning.analysis_due import due_analyses, find_basis
from enrich.planning.plan import stamp_alone


def analyse_dataset(store: Store, name: str, settings: Settings) -> dict[str, str]:
    """Make the surveys that are due; returns what each was told by."""
    with store.reading() as connection:
        dataset = find_dataset(connection, name)
        analyses = all_analyses(connection, dataset.id)
        due = [one for one, _ in due_analyses(connection, dataset, settings)]
    made = {one.name: _analyse(store, dataset, one, analyses.get(one.name), settings) for one in due}
    with store.writing() as connection:
        delete_analyses(connection, dataset.id, set(dataset.spec.enrichers))
        if made:
            # Workers in the middle of a pass make their plans again.
            raise_generation(connection)
    return made


def _analyse(
    store: Store, dataset: Dataset, enricher: Enricher, before: Analysis | None, settings: Settings
) -> str:
    with store.reading() as connection:
        basis = find_basis(connection, dataset, enricher) or ""
        if enricher.kind == "answers":
            findings = _analyse_answers(connection, dataset, enricher)
        else:
            rows = _rows(connection, dataset, enricher)
            findings = enricher.make().analyse(rows)
    made = Analysis(
        enricher=enricher.name,
        number=before.number + 1 if before else 1,
        basis=basis,
        fingerprint=stamp_alone(dataset, enricher.name, settings.code_paths),
    )
    with store.writing() as connection:
        write_analysis(connection, dataset.id, made, msgspec.json.encode(findings))
    return basis


def _rows(
    connection: Connection, dataset: Dataset, enricher: Enricher
) -> Iterator[tuple[str, Row]]:
    for one in each_record(connection, dataset.id):
        yield one.key.hex(), {name: one.inputs[name] for name in enricher.reads}


def _analyse_answers(connection: Connection, dataset: Dataset, enricher: Enricher) -> dict[str, Any]:
    """Survey the labels of today by the active model's out-of-fold answers."""
    from enrich.learning.cross_validation import decode_out_of_fold  # noqa: PLC0415  slow to import

    model = active_model(connection, dataset.id)
    stored = read_out_of_fold(connection, model) if model else None
    if stored is None:
        return {}
    answers = decode_out_of_fold(stored)
    labels = {
        one.key: one.label
        for one in each_record(connection, dataset.id, tables.record.c.label.isnot(None))
        if one.label is not None
    }
    keys, rows = answers.rows("teacher")
    at = [place for place, key in enumerate(keys) if key in labels]
    findings: dict[str, Any] = enricher.make().analyse(
        [keys[place].hex() for place in at],
        [labels[keys[place]] for place in at],
        answers.labels,
        rows[at],
    )
    return findings
