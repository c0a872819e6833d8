"""Activation of a version, with the checks that commands and pages share."""

from __future__ import annotations

from sqlalchemy import Connection

from db.errors import UnknownModel
from db.records.dataset import Dataset
from db.records.models.model_versions import activate_model
from db.records.models.trained_model import Model, find_model, model_name
from db.spec.dataset_spec import DatasetSpec


def lost_reads(model: Model, spec: DatasetSpec) -> str:
    """Return the enrichers that a model reads but its spec no longer names, separated by commas.

    Without their values the teacher cannot predict.
    """
    return ", ".join(sorted(model.reads.keys() - spec.enrichers.keys()))


def activate_version(connection: Connection, dataset: Dataset, version: int) -> None:
    """Activate a version; workers then plan to compute its predictions.

    Raises UnknownModel if there is no such version, its artifacts have been deleted, or it reads an
    enricher that is gone.
    """
    lost = lost_reads(find_model(connection, dataset, version), dataset.spec)
    if lost:
        name = model_name(dataset, version)
        raise UnknownModel(f"{name}: reads {lost}, which the spec no longer names")
    activate_model(connection, dataset, version)
