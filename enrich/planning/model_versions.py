"""Whether a model can be used with the versions of the libraries here, as its check has found."""

from __future__ import annotations

from sqlalchemy import Connection

from db.queue.workers.worker_registry import has_worker_with
from db.records.dataset import Dataset
from db.records.models.trained_model import Model, active_model, model_name
from db.scoring.library_versions import describe_other_versions, library_versions


def is_from_here(model: Model) -> bool:
    """Return True if a model needs no check here: it was made with these versions.

    A student needs no library.
    """
    return not model.teacher_sha256 or model.libraries.made == library_versions()


def why_unusable(dataset: Dataset, model: Model) -> str:
    """Return why a model must not be used here, "" if it may, or if it was not checked yet."""
    here = library_versions()
    check = None if is_from_here(model) else model.libraries.find_check(here)
    if check is None or not check.difference:
        return ""
    name = model_name(dataset, model.version)
    return f"{describe_other_versions(name, model.libraries.made, here)}: {check.difference}"


def describe_use(dataset: Dataset, model: Model) -> str:
    """Return which versions made a model of others, and whether it can be used here."""
    here = library_versions()
    name = model_name(dataset, model.version)
    words = describe_other_versions(name, model.libraries.made, here)
    check = model.libraries.find_check(here)
    if check is None:
        return f"{words}: not tried yet"
    if not check.difference:
        return f"{words}: it gives the same {check.answers:,} answers"
    return f"{words}: {check.difference}; train again: python -m enrich train {dataset.name}"


def is_left_to_others(connection: Connection, model: Model) -> bool:
    """Return True if a living worker has the versions that made a model.

    It then goes on with this model, and workers of two versions do not train in turns.
    """
    return has_worker_with(connection, model.libraries.made)


def other_versions_due(connection: Connection, dataset: Dataset) -> str:
    """Return why a new model is due because no worker can use the active one, "" if one can."""
    model = active_model(connection, dataset.id)
    if model is None or not (reason := why_unusable(dataset, model)):
        return ""
    return "" if is_left_to_others(connection, model) else reason
