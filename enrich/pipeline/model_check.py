"""The check of a model that other versions of the libraries made, before it predicts here."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from functools import partial
from typing import Literal, TypeAlias

from db.errors import ArtifactError, EnricherError
from db.queue.fault import MODEL, Fault, read_faults
from db.records.dataset import Dataset
from db.records.models.model_versions import record_check
from db.records.models.trained_model import (
    Model,
    find_model,
    model_name,
    read_student,
    read_teacher,
)
from db.scoring.library_versions import ModelCheck, describe_other_versions, library_versions
from db.scoring.student_data import Artifact, decode_student
from db.store.store import Store
from enrich.enrichers.base import Row
from enrich.executors.base import RecipeError
from enrich.executors.teacher_check import TeacherCheckRecipe
from enrich.planning.model_versions import is_from_here, is_left_to_others, why_unusable

from .context import WorkerContext
from .known_answers import known_rows

log = logging.getLogger("veilleuse.worker")

# Whether this worker predicts with a model, or leaves its dataset to a worker that can.
ModelUse: TypeAlias = Literal["usable", "unusable", "left to others"]


def check_model(context: WorkerContext, dataset: Dataset, model: Model | None) -> ModelUse:
    """Return whether a model answers here as it did where it was made.

    A teacher of other versions of the libraries is tried once on its known answers; the outcome is
    kept with the model. A model that no living worker can use is a fault of the dataset, for which
    training is due.
    """
    if model is not None and not is_from_here(model):
        model = _checked(context, dataset, model)
        if reason := why_unusable(dataset, model):
            return _refuse(context, dataset, model, reason)
    context.clear_fault(dataset, MODEL)
    return "usable"


def model_faults(store: Store, datasets: Container[str]) -> list[Fault]:
    """Return the faults of these datasets' models that no worker can use."""
    with store.reading() as connection:
        faults = read_faults(connection)
    return [fault for fault in faults if fault.subject == MODEL and fault.dataset in datasets]


def _refuse(context: WorkerContext, dataset: Dataset, model: Model, reason: str) -> ModelUse:
    with context.store.reading() as connection:
        is_left = is_left_to_others(connection, model)
    if is_left:
        context.clear_fault(dataset, MODEL)
        return "left to others"
    context.record_fault(dataset, MODEL, f"{reason}; stored answers stay, a new model is trained")
    return "unusable"


def _checked(context: WorkerContext, dataset: Dataset, model: Model) -> Model:
    """Return a model with its check with the versions here, which is made if there is none."""
    if model.libraries.find_check(library_versions()) is not None:
        return model
    check = _compare(context, dataset, model)
    context.write(partial(record_check, model=model, check=check))
    name = model_name(dataset, model.version)
    words = describe_other_versions(name, model.libraries.made, check.versions)
    if check.difference:
        log.warning("%s: %s", words, check.difference)
    else:
        log.info("%s: it gives the same %s answers", words, f"{check.answers:,}")
    with context.store.reading() as connection:
        return find_model(connection, dataset, model.version)


def _compare(context: WorkerContext, dataset: Dataset, model: Model) -> ModelCheck:
    """Return how the teacher answers with the versions of this worker's compute process."""
    here = library_versions()
    try:
        with context.store.reading() as connection:
            teacher, student = read_teacher(connection, model), read_student(connection, model)
            labels = decode_student(student.data, student.sha256).labels
            rows = known_rows(connection, dataset, model, labels)
        differences = _compute(context, model, (teacher, student), rows)
    except (ArtifactError, EnricherError, RecipeError) as error:
        # What follows is advice for a damaged file, and the line of code that failed.
        what = str(error).partition("; ")[0].partition(" (/")[0]
        return ModelCheck(here, f"it cannot be used: {what}")
    return ModelCheck(here, _describe(differences, is_known=bool(model.libraries.made)), len(rows))


def _compute(
    context: WorkerContext,
    model: Model,
    artifacts: tuple[Artifact | None, Artifact],
    rows: Sequence[Row],
) -> list[str]:
    columns, code_paths = model.metrics["columns"], context.settings.code_paths
    recipe = TeacherCheckRecipe(columns, *artifacts, code_paths)
    fingerprint = f"check {model.id} {model.teacher_sha256}"
    return context.executor.compute(fingerprint, lambda: recipe, rows).values


def _describe(differences: list[str], *, is_known: bool) -> str:
    """Return how the answers differ as a whole, "" if they do not.

    A model of unknown versions has most likely been made with these, so it is used unchecked.
    """
    if not differences:
        return "no record is left to check it on" if is_known else ""
    others = sum(map(bool, differences))
    return f"{others:,} of {len(differences):,} known answers are others now" if others else ""
